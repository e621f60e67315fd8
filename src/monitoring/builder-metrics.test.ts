import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { BuilderEvents } from '../daemon/events.ts';
import { builderMetrics, countEvents } from './builder-metrics.ts';
import { Health } from './health.ts';

function setUp() {
  const events = new BuilderEvents();
  const clock = new ManualClock();
  const metrics = builderMetrics();
  countEvents(metrics, events);
  return { events, clock, metrics, health: new Health(events, clock) };
}

describe('the metrics of a builder', () => {
  it('follow tasks and rounds with the hub', () => {
    const { events, metrics } = setUp();
    events.emit('poll:done', { ready: true, why: null, tasks: 0 });
    events.emit('task:started', { taskId: 1, method: 'buildArch' });
    events.emit('task:started', { taskId: 2, method: 'build' });
    events.emit('task:ended', { taskId: 1, method: 'buildArch', outcome: 'close', durationMs: 2500 });
    events.emit('task:refused', { taskId: 3, method: 'maven', message: 'no' });

    const lines = metrics.render().split('\n');

    expect(lines).toContain('koji_adjutant_ready 1');
    expect(lines).toContain('koji_adjutant_tasks_running 1');
    expect(lines).toContain('koji_adjutant_tasks_total{method="buildArch",end="closed"} 1');
    expect(lines).toContain('koji_adjutant_tasks_total{method="maven",end="refused"} 1');
    expect(lines).toContain('koji_adjutant_task_seconds_sum{method="buildArch"} 2.5');
    expect(lines).toContain('koji_adjutant_polls_total{result="done"} 1');
  });

  it('show a host that is not ready when the hub is gone or the daemon stops', () => {
    const { events, metrics } = setUp();
    const ready = () => /^koji_adjutant_ready (\d)$/m.exec(metrics.render())?.[1];
    expect(ready()).toBe('0');
    events.emit('poll:done', { ready: true, why: null, tasks: 0 });
    expect(ready()).toBe('1');
    events.emit('poll:failed', { error: new Error('gone') });
    expect(ready()).toBe('0');
    events.emit('poll:done', { ready: true, why: null, tasks: 0 });
    events.emit('daemon:stopping', { how: 'free' });
    expect(ready()).toBe('0');
  });
});

describe('Health', () => {
  it('is bad after some minutes without the hub, and good again with it', async () => {
    const { events, clock, health } = setUp();
    expect(health.whyNotWell()).toBeNull();
    await clock.advance(301_000);
    expect(health.whyNotWell()).toBe('no successful round with the hub for 301 s');
    events.emit('poll:failed', { error: new Error('gone') });
    expect(health.whyNotWell()).not.toBeNull();
    events.emit('poll:done', { ready: false, why: 'full', tasks: 0 });
    expect(health.whyNotWell()).toBeNull();
    events.emit('daemon:stopping', { how: 'drain' });
    expect(health.whyNotWell()).toBe('the daemon is stopping');
  });
});

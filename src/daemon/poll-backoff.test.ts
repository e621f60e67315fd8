import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { never } from '../core/never.ts';
import { PollBackoff } from './poll-backoff.ts';

const signal = never;

async function pauses(pace: PollBackoff, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await pace.pause(signal);
}

describe('PollBackoff', () => {
  it('hurries for half a minute, then makes the configured pause', async () => {
    const clock = new FakeClock();

    await pauses(new PollBackoff(clock, 15_000), 19);

    expect(clock.slept).toEqual([
      ...[250, 500, 500, 500, 500, 500, 500, 500],
      ...[1000, 1500, 2000, 2000, 3000, 3000, 5000, 5000, 5000, 15_000, 15_000],
    ]);
  });

  it('never makes a longer pause than configured', async () => {
    const clock = new FakeClock();

    await pauses(new PollBackoff(clock, 1000), 14);

    expect(Math.max(...clock.slept)).toBe(1000);
  });

  it('makes no pause after news, then short ones', async () => {
    const clock = new FakeClock();
    const pace = new PollBackoff(clock, 15_000);
    await pauses(pace, 18);

    pace.expectWork();
    await pauses(pace, 3);

    expect(clock.slept.slice(18)).toEqual([250, 500]);
  });

  it('ends the pause of now for news', async () => {
    const clock = new ManualClock();
    const pace = new PollBackoff(clock, 15_000);
    const pause = pace.pause(signal);
    await clock.asleep(250);

    pace.expectWork();

    await pause;
    expect(clock.sleeping).toBe(0);
    const next = pace.pause(signal);
    await clock.asleep(250);
    await clock.advance(250);
    await next;
  });

  it('makes the configured pause after a failure', async () => {
    const clock = new FakeClock();
    const pace = new PollBackoff(clock, 15_000);

    pace.slowDown();
    await pauses(pace, 2);

    expect(clock.slept).toEqual([15_000, 15_000]);
  });

  it('ends the pause when it is aborted, and leaves nothing behind', async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const pause = new PollBackoff(clock, 15_000).pause(abort.signal);
    await clock.asleep();

    abort.abort(new Error('stop'));

    await expect(pause).resolves.toBeUndefined();
    expect(clock.sleeping).toBe(0);
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
  });
});

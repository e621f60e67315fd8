import { describe, expect, it } from 'vitest';
import { settle } from '../../test/support/manual-clock.ts';
import { asleepMs, setUpPollLoop as setUp, sleepTask } from '../../test/support/polling-builder.ts';
import { HubFault, HubTransportError, SessionLost } from '../hub/faults.ts';

describe('PollLoop: readiness', () => {
  it('does not ask for work when it is not ready, and says so at once', async () => {
    const { start, nextRound, newCalls, hub, lines } = await setUp();
    await start();
    hub.enabled = false;
    newCalls();

    await nextRound();

    expect(newCalls()).toEqual(['host.getHostTasks', 'host.getHost', 'host.updateHost']);
    expect(hub.told).toEqual({ load: 0, ready: false });
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'not ready for tasks', why: 'the host is disabled on the hub' }),
    );
  });

  it('takes no new task while the engine does not answer', async () => {
    const { start, hub, space } = await setUp();
    space.engineProblem = 'no podman';
    const id = sleepTask(hub);

    await start();

    expect(hub.told?.ready).toBe(false);
    expect(hub.task(id).state).toBe('assigned');
  });

  it('checks in every 15 seconds and at every change, not in every round', async () => {
    const { start, nextRound, hub, clock } = await setUp();
    await start();
    const before = hub.paramsOf('host.updateHost').length;

    for (let round = 0; round < 10; round += 1) await nextRound();
    expect(hub.paramsOf('host.updateHost')).toHaveLength(before);
    await clock.advance(15_000);
    await settle();
    await nextRound();

    expect(hub.paramsOf('host.updateHost').length).toBe(before + 1);
    sleepTask(hub);
    await nextRound();
    expect(hub.told?.load).toBe(0.25);
  });
});

describe('PollLoop: rhythm', () => {
  it('stays at or below the calls of an idle kojid', async () => {
    const { start, hub, clock } = await setUp();
    await start();
    await clock.advance(60_000);
    const before = hub.calls.length;

    await clock.advance(60_000);

    // kojid makes five calls and a listBuildroots with its look-ups, four times a minute.
    expect(hub.calls.length - before).toBeLessThanOrEqual(28);
    expect(hub.calls.length - before).toBe(16);
  });

  it('never lets 15 seconds pass without a check-in while it polls eagerly', async () => {
    const { start, hub, clock } = await setUp();
    const at: number[] = [clock.now()];
    hub.always('host.updateHost', () => {
      at.push(clock.now());
    });

    await start();
    await clock.advance(120_000);

    const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(20_000);
    expect(gaps.length).toBeGreaterThan(5);
  });

  it('polls at once when a task has ended', async () => {
    const { start, hub, clock } = await setUp();
    hub.addTask('sleep', [1]);
    await start();
    await clock.asleep(1000);
    await clock.advance(999);
    const before = hub.paramsOf('host.getHostTasks').length;

    await clock.advance(1);
    await hub.called('host.getHostTasks', before + 1);

    expect(clock.now()).toBe(Date.UTC(2026, 0, 1, 0, 0, 1));
  });

  it('polls at once when a task has made a child', async () => {
    const { start, hub, clock } = await setUp();
    await start();
    await clock.advance(60_000);
    const parent = hub.addTask('subtask', [0]);
    await clock.advance(15_000);
    const polls = hub.paramsOf('host.getTasks').length;

    await hub.called('host.taskWait');
    await hub.called('host.getTasks', polls + 1);

    expect(hub.task(parent).waiting).toBe(true);
  });
});

describe('PollLoop: trouble', () => {
  it('continues after a round that failed, with the usual pause', async () => {
    const { start, hub, clock, rounds, lines } = await setUp({ sleepMs: 200 });
    hub.once('host.getHost', new HubTransportError('status', 'answers 502', { status: 502 }));

    await start();
    expect(rounds).toEqual([expect.stringContaining('502')]);
    await clock.advance(200);

    expect(rounds.at(-1)).toBe('ready 0');
    expect(lines).toContainEqual(expect.objectContaining({ level: 50 }));
  });

  it('does not hurry after a failure', async () => {
    const { hub, clock, loop, abort } = await setUp();
    hub.always('host.getHostTasks', new HubFault(1000, 'database is down'));

    const running = loop.run(abort.signal);
    await clock.asleep(15_000);
    await clock.advance(14_999);
    expect(hub.calls).toHaveLength(1);
    await clock.advance(1);

    expect(hub.calls).toHaveLength(2);
    abort.abort();
    await running;
  });

  it.each([
    ['the session is lost', new SessionLost('somebody took the lock')],
    ['the session cannot be renewed', new HubFault(1007, 'session has expired')],
  ])('ends when %s', async (_name, error) => {
    const { hub, loop, abort } = await setUp();
    hub.once('host.getHostTasks', error);

    await expect(loop.run(abort.signal)).rejects.toBe(error);
  });

  it('ends when a task has found the session lost', async () => {
    const { hub, loop, abort } = await setUp();
    const lost = new SessionLost('somebody took the lock');
    hub.addTask('default');
    hub.once('host.failTask', lost);

    await expect(loop.run(abort.signal)).rejects.toBe(lost);
  });

  it('ends in the middle of a call when it is told to', async () => {
    const { hub, loop, abort } = await setUp();
    hub.always('host.getTasks', 'hang');
    const running = loop.run(abort.signal);
    await hub.called('host.getTasks');

    abort.abort();

    await expect(running).resolves.toBeUndefined();
  });

  it('makes no call when it was told to end before', async () => {
    const { hub, loop, abort } = await setUp();
    abort.abort();

    await loop.run(abort.signal);

    expect(hub.calls).toEqual([]);
  });
});

describe('PollLoop: draining', () => {
  it('takes no task, says so, and ends when the last one has', async () => {
    const { start, nextRound, hub, clock, loop, rounds, ended, over } = await setUp();
    const id = sleepTask(hub);
    await start();
    await clock.asleep(asleepMs);
    const next = sleepTask(hub);

    loop.drain();
    await nextRound();
    expect(hub.told).toEqual({ load: 0.25, ready: false });
    expect(rounds.at(-1)).toMatch(/^draining/);
    await clock.advance(asleepMs);
    await over();

    expect(ended).toEqual([`${id} closed`]);
    expect(hub.task(next).state).toBe('assigned');
    expect(clock.sleeping).toBe(0);
  });

  it('ends after one round when nothing runs, also when asked before it began', async () => {
    const { hub, loop, abort } = await setUp();

    loop.drain();
    await loop.run(abort.signal);

    expect(hub.methods()).toEqual(['host.getHostTasks', 'host.getHost', 'host.updateHost']);
    expect(hub.told?.ready).toBe(false);
  });

  it('waits for a task that was being opened when it was asked', async () => {
    const { hub, clock, loop, abort } = await setUp();
    const id = sleepTask(hub);
    hub.once('subsession', () => loop.drain());
    let over = false;
    const running = loop.run(abort.signal).then(() => {
      over = true;
    });
    await clock.asleep(asleepMs);
    await settle();
    expect(over).toBe(false);

    await clock.advance(asleepMs);
    await running;

    expect(hub.task(id).state).toBe('closed');
  });

  it('ends also while the hub does not answer', async () => {
    const { hub, loop, abort } = await setUp();
    hub.always('host.getHostTasks', new HubTransportError('unreachable', 'no route'));

    loop.drain();

    await expect(loop.run(abort.signal)).resolves.toBeUndefined();
  });
});

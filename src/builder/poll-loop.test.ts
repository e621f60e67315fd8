import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { ManualClock, settle } from '../../test/support/manual-clock.ts';
import { MemoryHub, otherHost, ourHost } from '../../test/support/memory-hub.ts';
import { keptLog } from '../../test/support/silent-log.ts';
import { makeTaskEnvironment } from '../../test/support/task-environment.ts';
import { FakeManager } from '../container/fake/fake-manager.ts';
import { hubApis } from '../hub/apis.ts';
import { HubFault, HubProtocolError, HubTransportError, SessionLost } from '../hub/faults.ts';
import { decodeResponse } from '../hub/xmlrpc/codec.ts';
import type { TaskAdapter } from '../tasks/adapter.ts';
import { taskRegistry } from '../tasks/registry.ts';
import { BuilderEvents } from './events.ts';
import { Pace } from './pace.ts';
import { PollLoop } from './poll-loop.ts';
import { Supervisor } from './supervisor.ts';

const quarter = 250;

/** Takes only hosts of the arch in its parameter. */
const picky: TaskAdapter<string> = {
  methods: ['picky'],
  weight: 2,
  signature: { names: ['arch'], schema: z.object({ arch: z.string() }).transform(({ arch }) => arch) },
  checkHost: async (arch, { arches }) => {
    if (arch === 'no tag') throw new HubFault(1000, 'No such entry in table tag');
    if (arch === 'odd tag') throw new HubProtocolError('arches: expected string');
    if (arch === 'no hub') throw new HubTransportError('unreachable', 'no route');
    return arches.includes(arch) ? null : 'failed host check';
  },
  run: async (_arch, { clock, signal }) => {
    await clock.sleep(7_000_000, signal);
    return null;
  },
};

async function setUp({ sleepMs = 15_000, maxJobs = 10 } = {}) {
  const hub = new MemoryHub();
  const clock = new ManualClock();
  const environment = await makeTaskEnvironment(clock, new FakeManager({ clock, images: {} }));
  const events = new BuilderEvents();
  const { log, lines } = keptLog();
  const session = hub.session();
  const { host, tags } = hubApis(session, clock);
  const pace = new Pace(clock, sleepMs);
  const supervisor = new Supervisor(environment, session, events, log, () => pace.expectWork());
  const registry = new Map(taskRegistry({ stopAfter: () => undefined }));
  // The registry's own types forget the parameters in the same way.
  registry.set('picky', picky as TaskAdapter);
  const space = {
    freeBytes: new Map<string, number>(),
    minSpaceBytes: 1,
    loadAverage: 0,
    processors: 1,
    engineProblem: null as string | null,
  };
  const probe = { look: async () => space };
  const loop = new PollLoop({ host, tags, registry, supervisor, probe, events, maxJobs, pace, clock, log });
  const abort = new AbortController();
  const rounds: string[] = [];
  let round = Promise.withResolvers<void>();
  const note = (what: string) => {
    rounds.push(what);
    round.resolve();
    round = Promise.withResolvers();
  };
  events.on('poll:done', ({ ready, why, tasks }) => note(`${ready ? 'ready' : why} ${tasks}`));
  events.on('poll:failed', ({ error }) => note(`failed: ${String(error)}`));
  const ended: string[] = [];
  let end = Promise.withResolvers<void>();
  events.on('task:ended', ({ taskId, end: how }) => {
    ended.push(`${taskId} ${how}`);
    end.resolve();
    end = Promise.withResolvers();
  });
  let running: Promise<void> = Promise.resolve();
  onTestFinished(async () => {
    abort.abort();
    await running;
    await supervisor.cancelAll('shutdown');
  });
  return {
    hub,
    clock,
    supervisor,
    loop,
    pace,
    space,
    rounds,
    ended,
    lines,
    abort,
    /** Starts the loop and waits until it pauses. */
    async start(): Promise<void> {
      const result = loop.run(abort.signal);
      running = result.catch(() => undefined);
      await clock.asleep(Math.min(quarter, sleepMs));
    },
    /** Waits until the loop has ended by itself. */
    over: () => running,
    /** Waits until this many tasks have ended. */
    async tasksEnded(count: number): Promise<void> {
      while (ended.length < count) await end.promise;
    },
    /** The next round, and the pause after it. */
    async nextRound(): Promise<void> {
      const over = round.promise;
      pace.expectWork();
      await over;
      await clock.asleep();
      await settle();
    },
    /** Calls made since the last time this was asked. */
    newCalls: (() => {
      let seen = 0;
      return () => {
        const calls = hub.methods(1).slice(seen);
        seen += calls.length;
        return calls;
      };
    })(),
  };
}

/** A task that sleeps for a time no pause has. */
const long = 5000;
const sleepTask = (hub: MemoryHub, more = {}) => hub.addTask('sleep', [long], more);
const asleepMs = long * 1000;

describe('PollLoop: one round', () => {
  it('asks what is open, how we are, tells it, and asks for work', async () => {
    const { start, newCalls, hub } = await setUp();

    await start();

    expect(newCalls()).toEqual(['host.getHostTasks', 'host.getHost', 'host.updateHost', 'host.getTasks']);
    expect(hub.told).toEqual({ load: 0, ready: true });
    const [update] = hub.calls.filter(({ method }) => method === 'host.updateHost');
    expect(update?.keywords).toEqual({
      data: { methods: expect.arrayContaining(['buildArch', 'sleep']), maxjobs: 10 },
    });
  });

  it('takes one task, and looks for the next one at once', async () => {
    const { start, newCalls, hub, clock, supervisor, rounds } = await setUp();
    const [first, second] = [sleepTask(hub), sleepTask(hub)];

    await start();

    expect(newCalls().filter((call) => !call.startsWith('host.get'))).toEqual([
      'host.updateHost',
      'host.openTask',
      'host.setTaskWeight',
      'subsession',
      'host.updateHost',
      'host.openTask',
      'host.setTaskWeight',
      'subsession',
      'host.updateHost',
    ]);
    expect(supervisor.taskIds).toEqual([first, second]);
    expect(rounds).toEqual(['ready 1', 'ready 2', 'ready 2']);
    await clock.asleep(asleepMs);
    expect(hub.task(first)).toMatchObject({ state: 'open', weight: 0.25 });
    expect(hub.told).toEqual({ load: 0.5, ready: true });
  });

  it('opens a task with bad parameters, and fails it with 1019', async () => {
    const { start, hub, ended, tasksEnded } = await setUp();
    const id = hub.addTask('sleep', ['BAD_ARG']);

    await start();
    await tasksEnded(1);

    expect(ended).toEqual([`${id} failed`]);
    expect(() => decodeResponse(hub.task(id).result ?? '')).toThrow(/fault 1019: .*sleep.* n:/);
  });

  it('counts no weight of a task that waits', async () => {
    const { start, nextRound, hub } = await setUp();
    const id = sleepTask(hub);
    await start();

    hub.task(id).waiting = true;
    await nextRound();

    expect(hub.told?.load).toBe(0);
  });
});

describe('PollLoop: what the hub says about our tasks', () => {
  it('frees tasks that are open but do not run, all at once and only once', async () => {
    const { start, nextRound, hub } = await setUp();
    const stale = [sleepTask(hub, { state: 'open' }), sleepTask(hub, { state: 'open' })];

    await start();
    await nextRound();

    expect(hub.paramsOf('host.freeTasks')).toEqual([[stale]]);
  });

  it('does not free a task that ends while the hub is asked', async () => {
    const { start, nextRound, hub, clock, tasksEnded } = await setUp();
    const id = sleepTask(hub);
    await start();
    await clock.asleep(asleepMs);
    const answered = Promise.withResolvers<void>();
    hub.once('host.getHostTasks', () => answered.promise);

    const round = nextRound();
    await clock.advance(asleepMs);
    await tasksEnded(1);
    // What the hub has answered before the task was closed.
    hub.task(id).state = 'open';
    hub.once('host.getHost', () => {
      hub.task(id).state = 'closed';
    });
    answered.resolve();
    await round;

    expect(hub.paramsOf('host.freeTasks')).toEqual([]);
  });

  it('wakes a task with an alert', async () => {
    const { start, nextRound, hub, ended, tasksEnded } = await setUp();
    const parent = hub.addTask('subtask', [0]);
    await start();
    await hub.called('host.taskWait');
    const [child] = [...hub.tasks.values()].filter((task) => task.parent === parent);
    if (child === undefined) throw new Error('the task has made no child');
    Object.assign(child, { state: 'closed', host: otherHost });

    await nextRound();
    expect(ended).toEqual([]);
    hub.task(parent).alert = true;
    await nextRound();
    await tasksEnded(1);

    expect(ended).toEqual([`${parent} closed`]);
  });

  it.each([
    ['cancelled', { state: 'canceled' }],
    ['given to another host', { host: otherHost }],
    ['put back into the queue', { state: 'free', host: null }],
    ['put back and assigned here again', { state: 'assigned' }],
  ] as const)('stops a task that was %s, within one round', async (_name, change) => {
    const { start, nextRound, hub, clock, ended, tasksEnded } = await setUp();
    const id = sleepTask(hub);
    await start();
    await clock.asleep(asleepMs);

    Object.assign(hub.task(id), change);
    await nextRound();
    await tasksEnded(1);

    expect(ended[0]).toBe(`${id} stopped`);
    expect(hub.methods(2)).toEqual(['logout']);
  });

  it('stops a task the hub does not know any more', async () => {
    const { start, nextRound, hub, clock, ended, tasksEnded } = await setUp();
    const id = sleepTask(hub);
    await start();
    await clock.asleep(asleepMs);

    hub.tasks.delete(id);
    await nextRound();
    await tasksEnded(1);

    expect(ended).toEqual([`${id} stopped`]);
  });

  it('leaves a task alone that has just been closed and lingers', async () => {
    const { start, nextRound, hub, clock, supervisor, ended } = await setUp();
    const id = sleepTask(hub);
    await start();
    await clock.asleep(asleepMs);

    hub.task(id).state = 'closed';
    await nextRound();

    expect(supervisor.isStopping(id)).toBe(false);
    expect(ended).toEqual([]);
  });

  it('asks about a task that is being stopped no more, and counts it until it is gone', async () => {
    const { start, nextRound, hub, clock, supervisor, rounds } = await setUp({ maxJobs: 1 });
    const id = sleepTask(hub);
    await start();
    await clock.asleep(asleepMs);
    const hanging = Promise.withResolvers<void>();
    hub.once('logout', () => hanging.promise);
    hub.task(id).state = 'canceled';
    await nextRound();

    const next = sleepTask(hub);
    await nextRound();

    expect(hub.paramsOf('getTaskInfo')).toHaveLength(1);
    expect(rounds.at(-1)).toBe('1 tasks run here, maxjobs is 1 1');
    expect(hub.task(next).state).toBe('assigned');
    hanging.resolve();
    await supervisor.ended(id);
    await nextRound();
    expect(hub.task(next).state).toBe('open');
  });
});

describe('PollLoop: taking tasks', () => {
  it('refuses what it has no method for, for good, and looks at the next', async () => {
    const { start, hub, supervisor } = await setUp();
    const unknown = hub.addTask('image');
    const known = sleepTask(hub);

    await start();

    expect(hub.calls.filter(({ method }) => method === 'host.refuseTask')).toMatchObject([
      { params: [unknown], keywords: { soft: false, msg: 'no handler for method' } },
    ]);
    expect(supervisor.taskIds).toEqual([known]);
  });

  it('refuses what the host does not suit, and looks at the next', async () => {
    const { start, hub, supervisor } = await setUp();
    const elsewhere = hub.addTask('picky', ['s390x']);
    const here = hub.addTask('picky', ['x86_64']);

    await start();

    expect(hub.calls.filter(({ method }) => method === 'host.refuseTask')).toMatchObject([
      { params: [elsewhere], keywords: { soft: false, msg: 'failed host check' } },
    ]);
    expect(supervisor.taskIds).toEqual([here]);
    expect(hub.task(here).weight).toBe(2);
  });

  it.each(['no tag', 'odd tag'])(
    'takes a task that cannot be checked: %s; it fails by itself',
    async (arch) => {
      const { start, hub, supervisor } = await setUp();
      const id = hub.addTask('picky', [arch]);

      await start();

      expect(supervisor.taskIds).toEqual([id]);
    },
  );

  it('ends the round when the hub cannot be asked whether a task suits', async () => {
    const { start, hub, rounds, supervisor, clock } = await setUp({ sleepMs: 200 });
    hub.addTask('picky', ['no hub']);

    await start();

    expect(rounds).toEqual([expect.stringMatching(/^failed: .*no route/)]);
    expect(supervisor.taskIds).toEqual([]);
    expect(clock.sleeping).toBe(1);
  });

  it('takes the next task when the first is not to be had', async () => {
    const { start, hub, supervisor } = await setUp();
    const gone = sleepTask(hub);
    const there = sleepTask(hub);
    hub.once('host.openTask', () => {
      Object.assign(hub.task(gone), { state: 'canceled' });
    });

    await start();

    expect(supervisor.taskIds).toEqual([there]);
  });

  it('lets go of a task that was taken away as it was opened', async () => {
    const { start, hub, supervisor } = await setUp();
    const gone = sleepTask(hub);
    const there = sleepTask(hub);
    hub.once('host.setTaskWeight', () => {
      Object.assign(hub.task(gone), { state: 'canceled' });
    });

    await start();

    expect(supervisor.taskIds).toEqual([there]);
    expect(hub.paramsOf('host.freeTasks')).toEqual([]);
  });

  it.each(['host.setTaskWeight', 'subsession'])(
    'frees a task in the next round that %s kept from running',
    async (method) => {
      const { start, nextRound, hub, supervisor, rounds, clock } = await setUp({ sleepMs: 200 });
      const id = sleepTask(hub);
      hub.once(method, new HubTransportError('dropped', 'reset'));

      await start();
      expect(rounds).toEqual([expect.stringMatching(/^failed/)]);
      expect(hub.task(id).state).toBe('open');
      expect(supervisor.taskIds).toEqual([]);
      expect(clock.sleeping).toBe(1);
      await nextRound();

      expect(hub.paramsOf('host.freeTasks')).toEqual([[[id]]]);
      expect(hub.task(id).state).toBe('free');
    },
  );

  it('fails a task that cannot be read, and takes the next', async () => {
    const { start, hub, supervisor } = await setUp();
    const broken = sleepTask(hub);
    const sound = sleepTask(hub);
    hub.once('host.openTask', () => {
      hub.task(broken).state = 'open';
      throw new HubProtocolError('the request is no methodCall');
    });

    await start();

    expect(hub.task(broken).state).toBe('failed');
    expect(supervisor.taskIds).toEqual([sound]);
  });

  it('does not open a task again that still tidies up', async () => {
    const { start, nextRound, hub, clock, supervisor } = await setUp();
    const id = sleepTask(hub);
    await start();
    await clock.asleep(asleepMs);
    const hanging = Promise.withResolvers<void>();
    hub.once('logout', () => hanging.promise);
    Object.assign(hub.task(id), { state: 'assigned', host: ourHost });
    await nextRound();
    await nextRound();
    expect(hub.paramsOf('host.openTask')).toHaveLength(1);

    hanging.resolve();
    await supervisor.ended(id);
    await nextRound();

    expect(hub.paramsOf('host.openTask')).toHaveLength(2);
  });
});

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
    const { start, hub, clock, newCalls } = await setUp();
    await start();
    await clock.advance(60_000);
    const parent = hub.addTask('subtask', [0]);
    await clock.advance(15_000);
    newCalls();

    await hub.called('host.taskWait');
    await settle();

    expect(hub.task(parent).waiting).toBe(true);
    expect(newCalls()).toContain('host.getTasks');
  });
});

describe('PollLoop: trouble', () => {
  it('goes on after a round that failed, with the usual pause', async () => {
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

  it('ends at a hub that assigns no tasks', async () => {
    const { hub, loop, abort } = await setUp();
    hub.once('host.getTasks', new HubFault(1000, 'Invalid method: host.getTasks'));

    await expect(loop.run(abort.signal)).rejects.toMatchObject({ code: 'hub-too-old' });
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

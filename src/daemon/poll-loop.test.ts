import { describe, expect, it, vi } from 'vitest';
import { settle } from '../../test/support/manual-clock.ts';
import { otherHost, ourHost } from '../../test/support/memory-hub.ts';
import { asleepMs, setUpPollLoop as setUp, sleepTask } from '../../test/support/polling-builder.ts';
import { HubProtocolError, HubTransportError } from '../hub/faults.ts';
import { decodeResponse } from '../hub/xmlrpc/decode.ts';
import { TaskJournal } from '../journal/task-journal.ts';

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

describe('PollLoop: a disk that takes nothing', () => {
  it('refuses a task for which there can be no journal, and leaves no session of it', async () => {
    const { start, hub, supervisor } = await setUp();
    const id = sleepTask(hub);
    const error = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    vi.spyOn(TaskJournal.prototype, 'begin').mockRejectedValue(error);

    await start();

    expect(supervisor.taskIds).toEqual([]);
    expect(hub.calls.filter(({ method }) => method === 'host.refuseTask')).toMatchObject([
      { params: [id], keywords: { soft: true, msg: expect.stringContaining('disk of this host is full') } },
    ]);
    expect(hub.closedSessions).toHaveLength(1);
  });
});

describe('PollLoop: a clock that is set', () => {
  it.each([-3_600_000, 3_600_000])('tells the hub how we are every 15 s (set by %s ms)', async (byMs) => {
    const { start, hub, clock } = await setUp();
    await start();
    const checkIns = () => hub.paramsOf('host.updateHost').length;
    const before = checkIns();

    clock.set(byMs);
    await clock.advance(60_000);

    expect(checkIns() - before).toBeGreaterThanOrEqual(3);
    expect(checkIns() - before).toBeLessThanOrEqual(4);
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
    const { start, nextRound, hub, ended, tasksEnded } = await setUp({ assignChildren: 'no' });
    const parent = hub.addTask('subtask', [0]);
    await start();
    await hub.called('host.taskWait');
    // The answer to that call must not yet know of the child's end.
    await settle();
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

  it("refuses for good what the operator's rules leave out, and asks the hub nothing for rules about methods", async () => {
    const { start, hub, supervisor, newCalls } = await setUp({ accept: 'methods=sleep' });
    const unwanted = hub.addTask('picky', ['x86_64']);
    const wanted = sleepTask(hub);

    await start();

    const msg = 'it is a picky task; this host is limited to methods=sleep (accept in adjutant.conf)';
    expect(hub.calls.filter(({ method }) => method === 'host.refuseTask')).toMatchObject([
      { params: [unwanted], keywords: { soft: false, msg } },
    ]);
    expect(supervisor.taskIds).toEqual([wanted]);
    expect(newCalls()).not.toContain('getTaskInfo');
  });

  it('looks at parents for rules about scratch builds', async () => {
    const { start, hub, supervisor } = await setUp({ accept: 'scratch=only' });
    const official = hub.addTask('build', ['a.src.rpm', 'f1', {}], { state: 'open', host: otherHost });
    const scratch = hub.addTask('build', ['a.src.rpm', 'f1', { scratch: true }], {
      state: 'open',
      host: otherHost,
    });
    const unwanted = sleepTask(hub, { parent: official });
    const wanted = sleepTask(hub, { parent: scratch });

    await start();

    expect(hub.paramsOf('host.refuseTask')).toEqual([[unwanted]]);
    expect(supervisor.taskIds).toEqual([wanted]);
  });

  it('refuses what it cannot tell the purpose of, and tries again when the hub is away', async () => {
    const { start, hub, rounds, supervisor, nextRound } = await setUp({ accept: 'scratch=only' });
    await start();
    const parent = hub.addTask('build', ['a', 'f1', { scratch: true }], { state: 'open', host: otherHost });
    const odd = sleepTask(hub, { parent });
    const good = sleepTask(hub, { parent });
    hub.once(
      'getTaskInfo',
      new HubProtocolError('id: expected number'),
      new HubTransportError('unreachable', 'no route'),
    );

    await nextRound();
    expect(rounds.slice(1)).toEqual(['failed: HubTransportError: no route']);
    await nextRound();

    expect(hub.paramsOf('host.refuseTask')).toEqual([[odd]]);
    expect(supervisor.taskIds).toEqual([good]);
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

  it('takes the next task when the first is no longer available', async () => {
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
      throw new HubProtocolError('the request is not a methodCall');
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

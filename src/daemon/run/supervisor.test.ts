import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ManualClock, settle } from '../../../test/support/manual-clock.ts';
import { MemoryHub, otherHost } from '../../../test/support/memory-hub.ts';
import { keptLog } from '../../../test/support/silent-log.ts';
import { makeTaskEnvironment } from '../../../test/support/task-environment.ts';
import { openTaskJournal } from '../../../test/support/task-journal.ts';
import { FakeRuntime } from '../../container/fake/fake-runtime.ts';
import { never } from '../../core/never.ts';
import { HostApi } from '../../hub/api/host.ts';
import { HubTransportError, SessionLost } from '../../hub/faults.ts';
import { decodeResponse } from '../../hub/xmlrpc/decode.ts';
import type { TaskAdapter, TaskContext } from '../../tasks/adapter.ts';
import { TaskCancelled } from '../../tasks/errors.ts';
import { BuilderEvents, endLabels } from '../events.ts';
import type { HostTasks } from './host-tasks.ts';
import { Supervisor } from './supervisor.ts';

const signal = never;

/** Runs until it is told to end, by the test or by the signal. */
class Held {
  readonly started = Promise.withResolvers<TaskContext>();
  readonly end = Promise.withResolvers<null>();
  readonly adapter: TaskAdapter = {
    methods: ['held'],
    weight: 1,
    signature: { names: [], schema: z.unknown() },
    run: (_params, context) => {
      this.started.resolve(context);
      context.signal.addEventListener('abort', () => this.end.reject(context.signal.reason as Error));
      return this.end.promise;
    },
  };
}

/** Waits for its children once it may. */
function waitingForAll() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const adapter: TaskAdapter = {
    ...new Held().adapter,
    run: async (_params, { subtasks }) => {
      await promise;
      await subtasks.wait([], { all: true });
      return null;
    },
  };
  return { adapter, go: resolve };
}

async function setUp() {
  const hub = new MemoryHub();
  const clock = new ManualClock();
  const environment = await makeTaskEnvironment(clock, new FakeRuntime({ clock, images: {} }));
  const events = new BuilderEvents();
  const happened: string[] = [];
  events.on('task:started', ({ taskId }) => happened.push(`started ${taskId}`));
  events.on('task:ended', ({ taskId, outcome }) => happened.push(`ended ${taskId} ${endLabels[outcome]}`));
  const { log, lines } = keptLog();
  const session = hub.session();
  const journal = openTaskJournal(environment.workDir);
  const expected: string[] = [];
  const hostTasks: HostTasks = {
    childMade: ({ id }) => expected.push(`child ${id}`),
    refuseOpen: () => expect.unreachable(),
    taskEnded: () => expected.push('work'),
  };
  const supervisor = new Supervisor({ environment, session, journal, hostTasks, events, log });
  const take = async (adapter: TaskAdapter, parent: number | null = null) => {
    const id = hub.addTask('held', [], { parent });
    const task = await new HostApi(session).openTask(id);
    if (task === null) throw new Error('not opened');
    await supervisor.start({ task, adapter, params: { value: null } }, signal);
    return id;
  };
  return { hub, clock, supervisor, happened, lines, expected, take, journal };
}

describe('Supervisor', () => {
  it('runs no task that was at work at three unclean ends in a row, and fails it', async () => {
    const { hub, supervisor, journal, take } = await setUp();
    const id = hub.addTask('held', []);
    for (let end = 0; end < 3; end += 1)
      await journal.troubles.noteUncleanEnd(id + 1, { lines: 5, writtenBytes: 0 });
    const held = new Held();

    const taken = await take(held.adapter);
    await supervisor.ended(taken);

    expect(taken).toBe(id + 1);
    expect(hub.task(taken).state).toBe('failed');
    expect(() => decodeResponse(hub.task(taken).result ?? '')).toThrow('3 times in a row');
  });

  it('runs each task in a session of its own, which ends with it', async () => {
    const { hub, supervisor, happened, expected, take } = await setUp();
    const held = new Held();

    const id = await take(held.adapter);
    expect(supervisor.taskIds).toEqual([id]);
    expect(supervisor.has(id)).toBe(true);
    held.end.resolve(null);
    await supervisor.settled();

    expect(supervisor.taskIds).toEqual([]);
    expect(hub.task(id).state).toBe('closed');
    expect(hub.methods(2)).toEqual(['host.closeTask', 'logout']);
    expect(happened).toEqual([`started ${id}`, `ended ${id} closed`]);
    expect(expected).toEqual(['work']);
  });

  it('does not take a task for running that got no session', async () => {
    const { hub, supervisor, happened, take } = await setUp();
    hub.once('subsession', new HubTransportError('dropped', 'reset'));

    await expect(take(new Held().adapter)).rejects.toThrow('reset');

    expect(supervisor.taskIds).toEqual([]);
    expect(happened).toEqual([]);
    await supervisor.settled();
  });

  it('wakes a parent when its child has ended here', async () => {
    const { supervisor, hub, take } = await setUp();
    const { adapter, go } = waitingForAll();
    const parent = await take(adapter);
    const held = new Held();
    const child = await take(held.adapter, parent);
    go();
    await hub.called('host.taskWait');
    await settle();

    held.end.resolve(null);
    await supervisor.settled();

    expect(hub.task(child).state).toBe('closed');
    expect(hub.task(parent).state).toBe('closed');
    expect(hub.paramsOf('host.taskWait')).toHaveLength(2);
  });

  it('wakes the task the hub has news for, and minds no other', async () => {
    const { supervisor, hub, take } = await setUp();
    const { adapter, go } = waitingForAll();
    const parent = await take(adapter);
    const elsewhere = hub.addTask('sleep', [], { parent, state: 'open', host: otherHost });
    go();
    await hub.called('host.taskWait');
    await settle();
    hub.task(elsewhere).state = 'closed';

    supervisor.wake(parent + 1000);
    await settle();
    expect(hub.paramsOf('host.taskWait')).toHaveLength(1);
    supervisor.wake(parent);
    await supervisor.settled();

    expect(hub.task(parent).state).toBe('closed');
  });

  it('leaves nothing of a wait behind', async () => {
    const { supervisor, take } = await setUp();
    let listeners = -1;
    await take({
      ...new Held().adapter,
      run: async (_params, { subtasks, signal }) => {
        // No child is unfinished, so the wait for news is given up.
        await subtasks.wait([]);
        listeners = getEventListeners(signal, 'abort').length;
        return null;
      },
    });
    await supervisor.settled();

    expect(listeners).toBe(0);
  });

  it('stops a task with the reason, and the first one counts', async () => {
    const { hub, supervisor, happened, take } = await setUp();
    const held = new Held();
    const id = await take(held.adapter);
    const context = await held.started.promise;

    supervisor.cancel(id, 'canceled');
    supervisor.cancel(id, 'shutdown');

    expect(context.signal.reason).toEqual(new TaskCancelled('canceled'));
    expect(supervisor.isStopping(id)).toBe(true);
    expect(supervisor.has(id)).toBe(true);
    await supervisor.settled();
    expect(supervisor.isStopping(id)).toBe(false);
    expect(happened.at(-1)).toBe(`ended ${id} stopped`);
    expect(hub.methods(2)).toEqual(['logout']);
  });

  it('does not mind stopping what does not run', async () => {
    const { supervisor } = await setUp();

    supervisor.cancel(1, 'canceled');
    await supervisor.cancelAll('shutdown');
    await supervisor.ended(1);

    expect(supervisor.isStopping(1)).toBe(false);
  });

  it('stops all tasks and waits until they have tidied up', async () => {
    const { supervisor, happened, take } = await setUp();
    const slow = Promise.withResolvers<void>();
    const first = new Held();
    const a = await take({
      ...first.adapter,
      run: async (params, context) => {
        context.cleanup.defer(() => slow.promise);
        return first.adapter.run(params, context);
      },
    });
    const second = new Held();
    const b = await take(second.adapter);
    await Promise.all([first.started.promise, second.started.promise]);

    let gone = false;
    const all = supervisor.cancelAll('shutdown').then(() => {
      gone = true;
    });
    await supervisor.ended(b);
    await settle();
    expect(gone).toBe(false);
    expect(supervisor.taskIds).toEqual([a]);
    slow.resolve();
    await all;

    expect(happened.slice(2)).toEqual([`ended ${b} stopped`, `ended ${a} stopped`]);
  });

  it('also waits for a task that is started while it waits', async () => {
    const { supervisor, take } = await setUp();
    const [first, second] = [new Held(), new Held()];
    const a = await take(first.adapter);
    const settled = supervisor.settled();

    const b = await take(second.adapter);
    first.end.resolve(null);
    await supervisor.ended(a);
    expect(supervisor.taskIds).toEqual([b]);
    second.end.resolve(null);
    await settled;

    expect(supervisor.taskIds).toEqual([]);
  });

  it('remembers that the session is lost when a task finds out, and rejects nothing', async () => {
    const { hub, supervisor, happened, take } = await setUp();
    const held = new Held();
    const id = await take(held.adapter);
    const lost = new SessionLost('somebody took the lock');
    hub.once('host.closeTask', lost);

    held.end.resolve(null);
    await supervisor.settled();

    expect(supervisor.lost).toBe(lost);
    expect(happened.at(-1)).toBe(`ended ${id} stopped`);
  });

  it('logs each task with its id, and how long it took', async () => {
    const { clock, supervisor, lines, take } = await setUp();
    const held = new Held();
    const id = await take(held.adapter);
    await held.started.promise;

    await clock.advance(1500);
    held.end.resolve(null);
    await supervisor.settled();

    expect(lines).toContainEqual(
      expect.objectContaining({
        msg: 'task started',
        taskId: id,
        method: 'held',
        sessionId: expect.any(Number),
      }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'task ended', taskId: id, end: 'closed', durationMs: 1500 }),
    );
  });
});

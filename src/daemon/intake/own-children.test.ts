import { describe, expect, it } from 'vitest';
import { type MemoryHub, otherHost } from '../../../test/support/memory-hub.ts';
import { setUpPollLoop as setUp, sleepTask } from '../../../test/support/polling-builder.ts';
import { HubFault } from '../../hub/faults.ts';

/** A parent that waits for one child, which sleeps for 15 s. */
const parentTask = (hub: MemoryHub) => hub.addTask('subtask', [0]);

/** The child of a task, once it is made. */
async function childOf(hub: MemoryHub, parent: number): Promise<number> {
  await hub.called('host.subtask');
  await hub.called('host.taskWait');
  const child = [...hub.tasks.values()].find((task) => task.parent === parent);
  if (child === undefined) throw new Error('no child was made');
  return child.id;
}

type Bench = Awaited<ReturnType<typeof setUp>>;

/** Has a parent make its child, and the round after that over. */
async function withChild(bench: Bench): Promise<{ readonly parent: number; readonly child: number }> {
  const parent = parentTask(bench.hub);
  await bench.start();
  const child = await childOf(bench.hub, parent);
  await bench.nextRound();
  return { parent, child };
}

const placements = ({ lines }: Bench) =>
  lines.filter(({ msg }) => String(msg).startsWith('child task ')).map(({ msg, why }) => [msg, why ?? null]);

const left = 'child task left to the scheduler of the hub';

describe('the children of own tasks', () => {
  it('are opened without waiting for the scheduler', async () => {
    const bench = await setUp();
    const placed: unknown[] = [];
    bench.events.on('child:placed', (event) => placed.push(event));

    const { parent, child } = await withChild(bench);

    expect(bench.hub.task(child)).toMatchObject({ state: 'open', host: 7 });
    expect(placed).toEqual([{ taskId: child, method: 'sleep', here: true }]);
    expect(bench.lines).toContainEqual(
      expect.objectContaining({
        taskId: parent,
        child,
        childMethod: 'sleep',
        msg: expect.stringContaining('opened here at once'),
      }),
    );
  });

  it('wake their parent when they end', async () => {
    const bench = await setUp({ sleepMs: 3_600_000 });
    const { parent } = await withChild(bench);
    await bench.clock.asleep(15_000);
    // No round with the hub could bring an alert.
    bench.hub.always('host.getHostTasks', 'hang');

    await bench.clock.advance(15_000);
    await bench.tasksEnded(2);

    expect(bench.hub.task(parent).state).toBe('closed');
  });

  it('cost two calls and what opening takes', async () => {
    const bench = await setUp();

    await withChild(bench);

    const looks = ['listChannels', 'listTasks', 'scheduler.getTaskRefusals', 'getTaskInfo'];
    const calls = bench.hub.methods(1).filter((method) => looks.includes(method));
    expect(calls).toEqual(['listChannels', 'listTasks']);
  });

  it('cost nothing once none is left', async () => {
    const bench = await setUp();
    await withChild(bench);
    bench.newCalls();

    await bench.nextRound();

    expect(bench.newCalls()).not.toContain('listTasks');
  });

  it.each<[string, (bench: Bench) => void, string | RegExp]>([
    ['in a channel that this host is not in', ({ hub }) => (hub.childChannel = 9), /channel policy/],
    ['when the host was taken out of the channel', ({ hub }) => (hub.channels = []), /channel policy/],
    [
      'that has been canceled',
      ({ hub }) => hub.once('listChannels', () => cancelChildren(hub)),
      'it was canceled',
    ],
    [
      'that the scheduler has given to another host',
      ({ hub }) => hub.once('listChannels', () => giveAway(hub)),
      'the hub has given it to a host',
    ],
    [
      'that another host opens first',
      ({ hub }) =>
        hub.once(
          'host.openTask',
          () => undefined,
          () => giveAway(hub),
        ),
      'it could not be opened',
    ],
  ])('are left to the hub for good: one %s', async (_what, prepare, why) => {
    const bench = await setUp();
    prepare(bench);

    const { child } = await withChild(bench);

    expect(bench.hub.task(child).host).not.toBe(7);
    const expected = why instanceof RegExp ? expect.stringMatching(why) : why;
    expect(placements(bench)).toEqual([[left, expected]]);
    bench.newCalls();
    await bench.nextRound();
    expect(bench.newCalls()).not.toContain('listTasks');
    expect(bench.hub.paramsOf('host.refuseTask')).toEqual([]);
  });

  it.each<[string, (bench: Bench) => void, RegExp]>([
    ['the host is disabled', ({ hub }) => (hub.enabled = false), /disabled on the hub/],
    ['the host is full', ({ hub }) => (hub.capacity = 0.1), /no room/],
    ['the host drains', ({ loop }) => loop.drain(), /draining/],
  ])('stay FREE while %s', async (_what, prepare, why) => {
    const bench = await setUp();
    bench.hub.once('host.subtask', () => prepare(bench));

    const { child } = await withChild(bench);
    await bench.nextRound();

    expect(bench.hub.task(child)).toMatchObject({ state: 'free', host: null });
    expect(placements(bench)).toEqual([[left, expect.stringMatching(why)]]);
  });

  it('are opened later when there is room before the scheduler has run', async () => {
    const bench = await setUp();
    bench.hub.once('host.subtask', () => {
      bench.hub.capacity = 0.1;
    });
    const { child } = await withChild(bench);

    bench.hub.capacity = 4;
    await bench.nextRound();

    expect(bench.hub.task(child).state).toBe('open');
  });

  describe('while another task waits before them', () => {
    const withRival = async (options: Parameters<typeof setUp>[0] = {}, more = {}, method = 'sleep') => {
      const bench = await setUp(options);
      const rival = bench.hub.addTask(method, [1], { state: 'free', host: null, priority: 19, ...more });
      return { bench, rival, ...(await withChild(bench)) };
    };

    it('are left to the hub', async () => {
      const { bench, child, rival } = await withRival();

      expect(bench.hub.task(child).state).toBe('free');
      expect(placements(bench)).toEqual([[left, expect.stringContaining(`task ${rival} (sleep)`)]]);
    });

    it.each<[string, Record<string, unknown>, string]>([
      ['is less urgent', { priority: 20 }, 'sleep'],
      ['is for another arch', { arch: 's390x' }, 'sleep'],
      ['is in another channel', { channel: 3 }, 'sleep'],
      ['is none that this host can run', {}, 'image'],
    ])('are opened when it %s', async (_what, more, method) => {
      const { bench, child } = await withRival({}, more, method);

      expect(bench.hub.task(child).state).toBe('open');
    });

    it('are opened when this host has refused it', async () => {
      const bench = await setUp();
      const rival = bench.hub.addTask('sleep', [1], { state: 'free', host: null, priority: 10 });
      bench.hub.refused.push(rival);

      const { child } = await withChild(bench);

      expect(bench.hub.task(child).state).toBe('open');
    });

    it('are opened with `yes`', async () => {
      const { bench, child } = await withRival({ assignChildren: 'yes' });

      expect(bench.hub.task(child).state).toBe('open');
    });
  });

  it('are left alone with `no`', async () => {
    const bench = await setUp({ assignChildren: 'no' });

    const { child } = await withChild(bench);

    expect(bench.hub.task(child).state).toBe('free');
    expect(bench.hub.methods()).not.toContain('listTasks');
  });

  it('are left to others by rules of `accept`', async () => {
    const bench = await setUp({ accept: 'methods=subtask' });

    const { child } = await withChild(bench);

    expect(bench.hub.task(child).state).toBe('free');
    expect(placements(bench)).toEqual([[left, expect.stringContaining('it is a sleep task')]]);
  });

  it.each(['listChannels', 'listTasks'])('are left to a hub that does not answer to %s', async (method) => {
    const bench = await setUp();
    bench.hub.always(method, new HubFault(1000, `Invalid method: ${method}`));
    bench.hub.once('host.subtask', () => void sleepTask(bench.hub));

    const { child } = await withChild(bench);
    await bench.nextRound();

    expect(bench.hub.task(child).state).toBe('free');
    expect(placements(bench)).toEqual([[left, expect.stringContaining(`Invalid method: ${method}`)]]);
    // The tasks that the hub has assigned are taken all the same.
    expect(bench.supervisor.taskIds).toHaveLength(2);
  });

  it('are counted once when the hub has assigned one to this host', async () => {
    const bench = await setUp();
    const placed: unknown[] = [];
    bench.events.on('child:placed', (event) => placed.push(event));
    bench.hub.once('listChannels', () => {
      for (const task of bench.hub.tasks.values())
        if (task.parent !== null) Object.assign(task, { state: 'assigned', host: 7 });
    });

    const { child } = await withChild(bench);

    expect(bench.hub.task(child).state).toBe('open');
    expect(placed).toEqual([{ taskId: child, method: 'sleep', here: false }]);
  });

  it('are no news when a restart tells of them again', async () => {
    const bench = await setUp();
    const { parent, child } = await withChild(bench);
    const before = placements(bench);

    bench.children.made({ id: child, method: 'sleep', parentId: parent, assigned: false });
    await bench.nextRound();
    bench.newCalls();
    await bench.nextRound();

    expect(placements(bench)).toEqual(before);
    expect(bench.newCalls()).not.toContain('listTasks');
  });

  it('come before tasks that the hub has assigned, which follow at once', async () => {
    const bench = await setUp();
    let assigned = 0;
    bench.hub.once('host.subtask', () => {
      assigned = sleepTask(bench.hub);
    });

    const { child } = await withChild(bench);
    await bench.nextRound();

    expect(bench.hub.task(child).state).toBe('open');
    expect(bench.hub.task(assigned).state).toBe('open');
  });
});

function cancelChildren(hub: MemoryHub): void {
  for (const task of hub.tasks.values()) if (task.parent !== null) task.state = 'canceled';
}

function giveAway(hub: MemoryHub): void {
  for (const task of hub.tasks.values())
    if (task.parent !== null) Object.assign(task, { state: 'open', host: otherHost });
}

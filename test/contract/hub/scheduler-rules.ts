import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { taskState } from '../../../src/devhub/rows.ts';
import type { RpcValue } from '../../../src/hub/xmlrpc/codec.ts';
import { buildTag, channel, expectFault, since, type UseFixture, until } from './fixture.ts';

const Tasks = z.array(z.looseObject({ id: z.int() }));

/** Which host is given which task (`kojihub/scheduler.py`), or may choose which. */
export function describeSchedulerRules(use: UseFixture): void {
  const ready = (client = use().builder, data = { maxjobs: 20 }) =>
    client.call('host.updateHost', [0, true], { data });

  describe('scheduler', () => {
    beforeEach(async () => {
      if (!use().isAtLeast(1, 34)) return;
      for (const client of [use().builder, use().other]) {
        const open = Tasks.parse(await client.call('host.getHostTasks'));
        const assigned = Tasks.parse(await client.call('host.getTasks'));
        for (const task of [...open, ...assigned]) await use().admin.call('cancelTask', [task.id]);
        await client.call('host.updateHost', [0, false], { data: { maxjobs: 20 } });
      }
      await use().cancelMine();
    });

    it(
      'gives a FREE task to a host that is ready',
      since(use, [1, 34], async () => {
        const task = await use().newTask();
        await ready();
        await use().hub.runScheduler();

        const assigned = await use().builder.call('host.getTasks');

        expect(assigned).toMatchObject([
          { id: task, state: taskState.ASSIGNED, method: 'sleep', arch: 'noarch' },
        ]);
      }),
    );

    it(
      'gives nothing to a host that is not ready',
      since(use, [1, 34], async () => {
        const task = await use().newTask();
        await use().hub.runScheduler();

        expect(await use().stateOf(task)).toBe(taskState.FREE);
      }),
    );

    it(
      'gives nothing to a host of other arches',
      since(use, [1, 34], async () => {
        const foreign = await use().newTask({ arch: 's390x' });
        const mine = await use().newTask({ arch: 'i386' });
        await ready();
        await use().hub.runScheduler();

        expect(await use().stateOf(foreign)).toBe(taskState.FREE);
        expect(await use().stateOf(mine)).toBe(taskState.ASSIGNED);
      }),
    );

    it(
      'gives no more tasks than maxjobs, the urgent ones first',
      since(use, [1, 34], async () => {
        const later = await use().newTask({ priority: 30 });
        const urgent = await use().newTask({ priority: 5 });
        await ready(use().builder, { maxjobs: 1 });
        await use().hub.runScheduler();

        expect(await use().stateOf(urgent)).toBe(taskState.ASSIGNED);
        expect(await use().stateOf(later)).toBe(taskState.FREE);
      }),
    );

    it(
      'gives no more weight than the capacity',
      since(use, [1, 35], async () => {
        for (const weight of [1, 3]) {
          const task = await use().openTask();
          await use().builder.call('host.setTaskWeight', [task, weight]);
        }
        const task = await use().newTask();
        await ready();
        await use().hub.runScheduler();

        expect(await use().stateOf(task)).toBe(taskState.FREE);
      }),
    );

    it(
      'does not count the weight of waiting tasks',
      since(use, [1, 34], async () => {
        const parent = await use().openTask();
        await use().builder.call('host.setTaskWeight', [parent, 4]);
        await use().builder.call('host.taskSetWait', [parent, null]);
        const task = await use().newTask();
        await ready();
        await use().hub.runScheduler();

        expect(await use().stateOf(task)).toBe(taskState.ASSIGNED);
      }),
    );

    it(
      'does not give a task to a host that has refused it',
      since(use, [1, 34], async () => {
        const host = await use().hostIdOf(use().builder);
        const hard = await use().newTask({ assign: host });
        const soft = await use().newTask({ assign: host });
        await use().builder.call('host.refuseTask', [hard], { soft: false, msg: 'no' });
        await use().builder.call('host.refuseTask', [soft], { soft: true, msg: 'later' });
        await ready();
        await use().hub.runScheduler();

        expect(await use().stateOf(hard)).toBe(taskState.FREE);
        expect(await use().stateOf(soft)).toBe(taskState.FREE);
      }),
    );

    it(
      'prefers the host with less to do',
      since(use, [1, 34], async () => {
        await use().openTask();
        const task = await use().newTask();
        await ready(use().builder);
        await ready(use().other);
        await use().hub.runScheduler();

        const host = await use().hostIdOf(use().other);
        expect(await use().user.call('getTaskInfo', [task])).toMatchObject({ host_id: host });
      }),
    );

    it(
      "gives a noarch build to hosts of the tag's arches",
      since(use, [1, 34], async () => {
        const task = await use().newTask({}, 'rebuildSRPM', ['x.src.rpm', buildTag, {}]);
        await ready();
        await use().hub.runScheduler();

        expect(await use().stateOf(task)).toBe(taskState.ASSIGNED);
      }),
    );

    it(
      'is run by a host that asks for tasks and has none',
      since(use, [1, 34], async () => {
        const task = await use().newTask();
        await ready();

        await expect
          .poll(() => use().builder.call('host.getTasks'), { timeout: 10_000 })
          .toMatchObject([{ id: task }]);
      }),
    );
  });

  describe('queue', () => {
    const Rows = z.array(z.looseObject({ id: z.int(), state: z.int(), channel_id: z.int().nullable() }));
    const channelsOf = async (hostID: number) =>
      z
        .array(z.looseObject({ id: z.int(), name: z.string() }))
        .parse(await use().builder.call('listChannels', [], { hostID, enabled: true }));
    const waiting = async (more: Record<string, RpcValue> = {}, limit = 100) => {
      const channels = await channelsOf(await use().hostIdOf(use().builder));
      const wanted = { state: [0, 4], channel_id: channels.map(({ id }) => id), arch: ['noarch', 'i386'] };
      const order = { order: 'priority,create_time,id', limit };
      return Rows.parse(await use().builder.call('listTasks', [{ ...wanted, ...more }, order]));
    };

    beforeEach(() => use().cancelMine());

    it('tells the channels of a host', async () => {
      const names = await channelsOf(await use().hostIdOf(use().builder));

      expect(names.map(({ name }) => name)).toEqual([channel]);
    });

    it('tells nothing of a host that does not exist', async () => {
      expect(await channelsOf(999_999_999)).toEqual([]);
    });

    it('lists what is FREE or ASSIGNED in the order of the scheduler', async () => {
      const host = await use().hostIdOf(use().other);
      const later = await use().newTask({ priority: 30 });
      const sooner = await use().newTask({ priority: 5, arch: 'i386' });
      const next = await use().newTask({ priority: 5 });
      const assigned = await use().newTask({ priority: 7, assign: host });
      await use().newTask({ arch: 's390x' });
      await use().openTask();

      expect(await waiting()).toMatchObject([
        { id: sooner, state: taskState.FREE, arch: 'i386', priority: 5 },
        { id: next, state: taskState.FREE },
        { id: assigned, state: taskState.ASSIGNED, host_id: host },
        { id: later, state: taskState.FREE, host_id: null },
      ]);
      expect(await waiting({}, 2)).toMatchObject([{ id: sooner }, { id: next }]);
      expect(await waiting({ channel_id: [999_999_999] })).toEqual([]);
    });

    it('has a child that was just made, in the channel of its parent and more urgent', async () => {
      const parent = await use().openTask();
      const other = await use().newTask();
      const child = await use().subtask(parent, { label: 'x' });
      use().adopt([child]);

      const [first, second] = await waiting();

      expect(first).toMatchObject({ id: child, priority: 19, parent, weight: 1, label: 'x' });
      expect(second).toMatchObject({ id: other, priority: 20 });
    });

    it(
      'tells which tasks a host has refused',
      since(use, [1, 34], async () => {
        const host = await use().hostIdOf(use().builder);
        const refused = await use().newTask({ assign: host });
        await use().newTask();
        await use().builder.call('host.refuseTask', [refused], { soft: false, msg: 'no' });

        const rows = z
          .array(z.object({ task_id: z.int() }))
          .parse(
            await use().builder.call('scheduler.getTaskRefusals', [[['host_id', '=', host]], ['task_id']]),
          );

        expect(rows).toContainEqual({ task_id: refused });
      }),
    );

    it(
      'lets a host open a FREE child that the scheduler would have given away, once',
      since(use, [1, 34], async () => {
        const parent = await use().openTask();
        const child = await use().subtask(parent, { label: 'x' });
        use().adopt([child]);
        await ready(use().other);

        expect(await use().builder.call('host.openTask', [child])).toMatchObject({ id: child });

        await use().hub.runScheduler();
        const host = await use().hostIdOf(use().builder);
        expect(await use().user.call('getTaskInfo', [child])).toMatchObject({
          state: taskState.OPEN,
          host_id: host,
        });
        expect(await use().other.call('host.openTask', [child])).toBeNull();
      }),
    );

    it(
      'does not take back what a host was assigned as it was made: freeTasks leaves it alone',
      since(use, [1, 34], async () => {
        const parent = await use().openTask();
        const host = await use().hostIdOf(use().builder);
        const child = await use().subtask(parent, { label: 'x', assign: host });
        use().adopt([child]);

        await use().builder.call('host.freeTasks', [[child]]);

        expect(await use().stateOf(child)).toBe(taskState.ASSIGNED);
      }),
    );
  });

  describe('load data', () => {
    const LoadData = z.tuple([z.array(z.looseObject({ id: z.int() })), Tasks]);
    const tasksFor = async (ready: boolean): Promise<readonly number[]> => {
      await use().builder.call('host.updateHost', [0, ready]);
      const [, tasks] = LoadData.parse(await use().builder.call('host.getLoadData'));
      return tasks.map(({ id }) => id);
    };

    it(
      'shows the FREE tasks that suit a host that is ready, the urgent ones first',
      until(use, [1, 34], async () => {
        await use().cancelMine();
        const later = await use().newTask({ priority: 30 });
        const sooner = await use().newTask({ priority: 1 });
        const elsewhere = await use().newTask({ arch: 's390x' });

        expect(await tasksFor(true)).toEqual([sooner, later]);
        expect(await tasksFor(false)).toEqual([]);
        expect(await use().stateOf(elsewhere)).toBe(taskState.FREE);
      }),
    );

    it(
      'shows what an administrator has assigned, and to that host only',
      until(use, [1, 34], async () => {
        await use().cancelMine();
        const ours = await use().newTask({ assign: await use().hostIdOf(use().builder) });
        await use().newTask({ assign: await use().hostIdOf(use().other) });

        expect(await tasksFor(true)).toEqual([ours]);
        await use().builder.call('host.updateHost', [0, false]);
      }),
    );

    it(
      'is the whole check-in: what a host tells of itself is refused',
      until(use, [1, 34], async () => {
        const update = use().builder.call('host.updateHost', [0, false], { data: { maxjobs: 1 } });

        await expectFault(update, 1019);
      }),
    );
  });
}

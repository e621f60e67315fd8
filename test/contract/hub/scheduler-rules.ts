import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { taskState } from '../../../src/devhub/rows.ts';
import { buildTag, expectFault, since, type UseFixture, until } from './fixture.ts';

const Tasks = z.array(z.looseObject({ id: z.int() }));

/** Which host is given which task (`kojihub/scheduler.py`), or may choose which. */
export function describeSchedulerRules(use: UseFixture): void {
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

    const ready = (client = use().builder, data = { maxjobs: 20 }) =>
      client.call('host.updateHost', [0, true], { data });

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

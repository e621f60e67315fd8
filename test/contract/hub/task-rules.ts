import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { HubClient } from '../../../src/devhub/client.ts';
import { taskState } from '../../../src/devhub/rows.ts';
import type { RpcValue } from '../../../src/hub/xmlrpc/codec.ts';
import { encodeFault, encodeResponse } from '../../../src/hub/xmlrpc/codec.ts';
import { channel, expectFault, since, target, type UseFixture } from './fixture.ts';

const nothing = encodeResponse(null);
const unknown = 999_999_999;
const Tasks = z.array(z.looseObject({ id: z.int() }));

/** The life of a task between hub and host (`kojihub.Task`, `HostExports`). */
export function describeTaskRules(use: UseFixture): void {
  describe('openTask', () => {
    it('opens a FREE task and gives its request as XML', async () => {
      const task = await use().newTask({}, 'sleep', [7]);

      const row = await use().builder.call('host.openTask', [task]);

      expect(row).toMatchObject({
        id: task,
        state: taskState.OPEN,
        method: 'sleep',
        weight: 1,
        parent: null,
      });
      expect(row).toHaveProperty('request', expect.stringMatching(/^<\?xml[\s\S]*<int>7<\/int>/));
    });

    it('opens a task that is assigned to the host', async () => {
      const host = await use().hostIdOf(use().builder);
      const task = await use().newTask({ assign: host });

      expect(await use().builder.call('host.openTask', [task])).toMatchObject({ id: task, host_id: host });
    });

    it('gives nothing for a task that is assigned to another host', async () => {
      const task = await use().newTask({ assign: await use().hostIdOf(use().other) });

      expect(await use().builder.call('host.openTask', [task])).toBeNull();
      expect(await use().stateOf(task)).toBe(taskState.ASSIGNED);
    });

    it('gives nothing for a task that is open, even on the same host', async () => {
      const task = await use().openTask();

      expect(await use().builder.call('host.openTask', [task])).toBeNull();
    });

    it('gives nothing for a task that has ended', async () => {
      const cancelled = await use().newTask();
      await use().admin.call('cancelTask', [cancelled]);
      const closed = await use().openTask();
      await use().builder.call('host.closeTask', [closed, nothing]);

      expect(await use().builder.call('host.openTask', [cancelled])).toBeNull();
      expect(await use().builder.call('host.openTask', [closed])).toBeNull();
    });

    it('refuses an unknown task', async () => {
      await expectFault(use().builder.call('host.openTask', [unknown]), 1000);
    });
  });

  describe('closeTask and failTask', () => {
    it('keep the result, which getTaskResult decodes', async () => {
      const task = await use().openTask();

      await use().builder.call('host.closeTask', [task, encodeResponse({ brootid: 3, logs: ['a'] })]);

      expect(await use().stateOf(task)).toBe(taskState.CLOSED);
      expect(await use().user.call('getTaskResult', [task])).toEqual({ brootid: 3, logs: ['a'] });
    });

    it('keep a fault, which getTaskResult raises or shows', async () => {
      const task = await use().openTask();

      await use().builder.call('host.failTask', [task, encodeFault(1005, 'no luck')]);

      expect(await use().stateOf(task)).toBe(taskState.FAILED);
      expect(await expectFault(use().user.call('getTaskResult', [task]), 1005)).toBe('no luck');
      expect(await use().user.call('getTaskResult', [task], { raise_fault: false })).toEqual({
        faultCode: 1005,
        faultString: 'no luck',
      });
    });

    it('are for the host that has the task open', async () => {
      const open = await use().openTask(use().other);
      const free = await use().newTask();

      for (const method of ['host.closeTask', 'host.failTask'])
        for (const task of [open, free]) await expectFault(use().builder.call(method, [task, nothing]), 1004);
      await expectFault(use().builder.call('host.closeTask', [unknown, nothing]), 1000);
    });

    it('end a task once', async () => {
      const task = await use().openTask();
      await use().builder.call('host.closeTask', [task, nothing]);

      await expectFault(use().builder.call('host.closeTask', [task, nothing]), 1004);
      await expectFault(use().builder.call('host.failTask', [task, nothing]), 1004);
    });

    it('leave a cancelled task cancelled', async () => {
      const task = await use().openTask();
      await use().admin.call('cancelTask', [task]);

      await expectFault(use().builder.call('host.closeTask', [task, nothing]), 1004);
      expect(await use().stateOf(task)).toBe(taskState.CANCELED);
    });

    it('refuse a result that is no XML document, and the task stays open', async () => {
      const task = await use().openTask();

      await expectFault(use().builder.call('host.closeTask', [task, 'done']), 1);

      expect(await use().stateOf(task)).toBe(taskState.OPEN);
    });

    it('do not close a task with a fault', async () => {
      const task = await use().openTask();

      await expectFault(use().builder.call('host.closeTask', [task, encodeFault(1005, 'no luck')]), 1005);

      expect(await use().stateOf(task)).toBe(taskState.OPEN);
    });
  });

  describe('getTaskResult', () => {
    it('refuses a task that has no result', async () => {
      const cancelled = await use().newTask();
      await use().admin.call('cancelTask', [cancelled]);

      await expectFault(use().user.call('getTaskResult', [await use().newTask()]), 1000);
      await expectFault(use().user.call('getTaskResult', [await use().openTask()]), 1000);
      await expectFault(use().user.call('getTaskResult', [cancelled]), 1000);
      await expectFault(use().user.call('getTaskResult', [unknown]), 1000);
    });
  });

  describe('getTaskInfo', () => {
    it('answers for one task and for many', async () => {
      const task = await use().newTask();

      expect(await use().user.call('getTaskInfo', [task])).toMatchObject({
        id: task,
        method: 'sleep',
        state: 0,
      });
      expect(await use().user.call('getTaskInfo', [[task, unknown]])).toMatchObject([{ id: task }, null]);
    });

    it('gives nothing for an unknown task, or refuses it', async () => {
      expect(await use().user.call('getTaskInfo', [unknown])).toBeNull();
      await expectFault(use().user.call('getTaskInfo', [unknown], { strict: true }), 1000);
    });

    it('shows the request when asked to, keywords as they were stored', async () => {
      const args = ['x', { event: 3, __starstar: true }];
      const task = await use().newTask({}, 'newRepo', args);

      expect(await use().user.call('getTaskInfo', [task])).not.toHaveProperty('request');
      expect(await use().user.call('getTaskInfo', [task], { request: true })).toHaveProperty('request', args);
    });
  });

  describe('getChannel', () => {
    it("names a task's channel, by id and by name, and knows no others", async () => {
      const Row = z.looseObject({ channel_id: z.int() });
      const task = Row.parse(await use().user.call('getTaskInfo', [await use().newTask()]));
      const Channel = z.looseObject({ id: z.int(), name: z.string() });

      const byId = Channel.parse(await use().user.call('getChannel', [task.channel_id]));

      expect(byId).toMatchObject({ id: task.channel_id, name: channel });
      expect(await use().user.call('getChannel', [byId.name])).toEqual(byId);
      expect(await use().user.call('getChannel', [unknown])).toBeNull();
    });
  });

  describe('listHosts', () => {
    it('finds hosts by channel and by account, each by name and by id, and by one of their arches', async () => {
      const { user, builder } = use();
      const mine = await use().hostIdOf(builder);
      const Hosts = z.array(z.looseObject({ id: z.int(), arches: z.string() }));
      const find = async (keywords: Record<string, RpcValue>) =>
        Hosts.parse(await user.call('listHosts', [], keywords)).map(({ id }) => id);
      const Channel = z.looseObject({ id: z.int() });
      const { id } = Channel.parse(await user.call('getChannel', [channel]));

      expect(await find({ channelID: channel, enabled: true, arches: 'x86_64' })).toContain(mine);
      expect(await find({ channelID: id, enabled: true, arches: ['s390x', 'x86_64'] })).toContain(mine);
      expect(await find({ channelID: channel, arches: ['s390x'] })).not.toContain(mine);
      expect(await find({ channelID: channel, enabled: false })).not.toContain(mine);
      const [host] = z
        .array(z.looseObject({ id: z.int(), user_id: z.int(), name: z.string() }))
        .parse(await user.call('listHosts', [], { channelID: channel }))
        .filter((each) => each.id === mine);
      expect(await find({ userID: host?.user_id ?? 0 })).toEqual([mine]);
      expect(await find({ userID: host?.name ?? '' })).toEqual([mine]);
      await expectFault(user.call('listHosts', [], { channelID: 'no-such-channel' }), 1000);
      await expectFault(user.call('listHosts', [], { userID: 'no-such-user' }), 1000);
    });
  });

  describe('setTaskWeight', () => {
    it('sets what getHostTasks shows', async () => {
      const task = await use().openTask();

      await use().builder.call('host.setTaskWeight', [task, 0.25]);

      const mine = await use().builder.call('host.getHostTasks');
      expect(mine).toContainEqual(expect.objectContaining({ id: task, weight: 0.25 }));
    });

    it('is for the host that has the task open', async () => {
      await expectFault(
        use().builder.call('host.setTaskWeight', [await use().openTask(use().other), 2]),
        1004,
      );
      await expectFault(use().builder.call('host.setTaskWeight', [await use().newTask(), 2]), 1004);
    });
  });

  describe('getHostTasks', () => {
    it('shows the open tasks of the host alone', async () => {
      const mine = await use().openTask();
      const theirs = await use().openTask(use().other);
      const assigned = await use().newTask({ assign: await use().hostIdOf(use().builder) });

      const ids = Tasks.parse(await use().builder.call('host.getHostTasks')).map((task) => task.id);

      expect(ids).toContain(mine);
      expect(ids).not.toContain(theirs);
      expect(ids).not.toContain(assigned);
    });
  });

  describe('freeTasks', () => {
    it('gives back the tasks that the host has open and ignores others', async () => {
      const mine = await use().openTask();
      const theirs = await use().openTask(use().other);
      const closed = await use().openTask();
      await use().builder.call('host.closeTask', [closed, nothing]);

      await use().builder.call('host.freeTasks', [[mine, theirs, closed]]);

      expect(await use().user.call('getTaskInfo', [mine])).toMatchObject({
        state: taskState.FREE,
        host_id: null,
      });
      expect(await use().stateOf(theirs)).toBe(taskState.OPEN);
      expect(await use().stateOf(closed)).toBe(taskState.CLOSED);
    });

    it('of an admin takes a task away from the host that has it open', async () => {
      const open = await use().openTask();
      const closed = await use().openTask();
      await use().builder.call('host.closeTask', [closed, nothing]);

      expect(await use().admin.call('freeTask', [open])).toBeNull();

      expect(await use().stateOf(open)).toBe(taskState.FREE);
      await expectFault(use().builder.call('host.closeTask', [open, nothing]), 1004);
      await expectFault(use().admin.call('freeTask', [closed]), 1000);
      await expectFault(use().admin.call('freeTask', [unknown]), 1000);
      await expectFault(use().builder.call('freeTask', [open]), 1004);
    });
  });

  describe('refuseTask', () => {
    it(
      'gives an assigned or open task back',
      since(use, [1, 34], async () => {
        const assigned = await use().newTask({ assign: await use().hostIdOf(use().builder) });
        const open = await use().openTask();

        await use().builder.call('host.refuseTask', [assigned], { soft: false, msg: 'no handler' });
        await use().builder.call('host.refuseTask', [open], { msg: 'not now' });

        expect(await use().stateOf(assigned)).toBe(taskState.FREE);
        expect(await use().stateOf(open)).toBe(taskState.FREE);
      }),
    );

    it(
      'ignores a task of another host',
      since(use, [1, 34], async () => {
        const task = await use().openTask(use().other);

        expect(await use().builder.call('host.refuseTask', [task], { soft: false, msg: 'no' })).toBeNull();

        expect(await use().stateOf(task)).toBe(taskState.OPEN);
      }),
    );

    it('refuses a task that the host has ended', async () => {
      const task = await use().openTask();
      await use().builder.call('host.closeTask', [task, nothing]);

      await expectFault(use().builder.call('host.refuseTask', [task], { soft: false, msg: 'no' }), 1000);
    });
  });

  describe('cancelTask', () => {
    it('is for the owner, the host that runs the task, and admins', async () => {
      const mine = await use().newBuildTask(use().user);
      const open = await use().openTask();
      const foreign = await use().newTask();

      expect(await use().user.call('cancelTask', [mine])).toBeNull();
      expect(await use().builder.call('cancelTask', [open])).toBeNull();
      await expectFault(use().user.call('cancelTask', [foreign]), 1004);
      await expectFault(use().admin.call('cancelTask', [unknown]), 1000);
    });

    it('takes the subtasks along', async () => {
      const parent = await use().openTask();
      const child = await use().subtask(parent);

      await use().admin.call('cancelTask', [parent]);

      expect(await use().stateOf(parent)).toBe(taskState.CANCELED);
      expect(await use().stateOf(child)).toBe(taskState.CANCELED);
    });

    it('spares them when told to, and takes only them when asked to', async () => {
      const parent = await use().openTask();
      const child = await use().subtask(parent);

      await use().admin.call('cancelTask', [parent], { recurse: false });
      const spared = await use().stateOf(child);
      await use().admin.call('cancelTaskChildren', [parent]);

      expect(spared).toBe(taskState.FREE);
      expect(await use().stateOf(child)).toBe(taskState.CANCELED);
    });

    it('does nothing to a task that has ended', async () => {
      const task = await use().openTask();
      await use().builder.call('host.closeTask', [task, nothing]);

      await use().admin.call('cancelTask', [task]);

      expect(await use().stateOf(task)).toBe(taskState.CLOSED);
    });
  });

  describe('making tasks', () => {
    it('needs a login, and an admin for anything but a build', async () => {
      const anonymous = new HubClient(use().hub.url);

      await expectFault(anonymous.call('build', ['x.src.rpm', target]), 1004);
      await expectFault(use().user.call('makeTask', ['sleep', [1]], { channel }), 1004);
      await expectFault(use().user.call('build', ['x.src.rpm', target, {}, -5, channel]), 1004);
    });

    it('refuses a channel that does not exist', async () => {
      await expectFault(use().admin.call('makeTask', ['sleep', [1]], { channel: 'contract-nowhere' }), 1000);
    });

    it('starts with the usual priority, weight and arch', async () => {
      const task = await use().newTask();

      expect(await use().user.call('getTaskInfo', [task])).toMatchObject({
        priority: 20,
        weight: 1,
        arch: 'noarch',
      });
    });

    it('stores a build as it was asked for', async () => {
      const task = await use().newBuildTask(use().user);
      const request = ['x.src.rpm', target, { scratch: true }];

      expect(await use().user.call('getTaskInfo', [task, true])).toMatchObject({
        method: 'build',
        request,
      });
    });
  });

  describe('updateHost', () => {
    it(
      'shows in getHost',
      since(use, [1, 34], async () => {
        await use().builder.call('host.updateHost', [0.5, true], {
          data: { maxjobs: 3, methods: ['sleep'] },
        });

        const host = await use().builder.call('host.getHost');

        expect(host).toMatchObject({
          task_load: 0.5,
          ready: true,
          capacity: 4,
          enabled: true,
          arches: 'x86_64 i386',
        });
        await use().builder.call('host.updateHost', [0, false]);
      }),
    );

    it('wants a struct as data', async () => {
      await expectFault(use().builder.call('host.updateHost', [0, false, 'text']), 1019);
    });
  });
}

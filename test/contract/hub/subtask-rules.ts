import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { encodeFault, encodeResponse } from '../../../src/hub/xmlrpc/codec.ts';
import { expectFault, since, type UseFixture } from './fixture.ts';

const HostTasks = z.array(
  z.looseObject({ id: z.int(), waiting: z.boolean().nullable(), alert: z.boolean().optional() }),
);

/** Subtasks and waiting for them (`kojihub.Host`). */
export function describeSubtaskRules(use: UseFixture): void {
  /** Opens a child of the builder's and closes it. */
  async function closeChild(child: number, result: string = encodeResponse('done')): Promise<void> {
    await use().builder.call('host.openTask', [child]);
    await use().builder.call('host.closeTask', [child, result]);
  }

  async function failChild(child: number): Promise<void> {
    await use().builder.call('host.openTask', [child]);
    await use().builder.call('host.failTask', [child, encodeFault(1005, 'no luck')]);
  }

  async function hostTask(id: number) {
    return HostTasks.parse(await use().builder.call('host.getHostTasks')).find((task) => task.id === id);
  }

  describe('subtask', () => {
    it('gives the same subtask for the same parent and label', async () => {
      const parent = await use().openTask();
      const first = await use().subtask(parent, { label: 'x86_64', arch: 'x86_64' });

      expect(await use().subtask(parent, { label: 'x86_64', arch: 'x86_64' })).toBe(first);
      expect(await use().subtask(parent, { label: 'i386', arch: 'i386' })).not.toBe(first);
    });

    it('makes another one each time without a label', async () => {
      const parent = await use().openTask();

      expect(await use().subtask(parent)).not.toBe(await use().subtask(parent));
    });

    it('takes owner, channel and arch from its parent and goes before it', async () => {
      const parent = await use().openTask();
      const child = await use().subtask(parent, { label: 'srpm' });
      const keys = z.looseObject({ owner: z.int(), channel_id: z.int(), arch: z.string() });
      const { owner, channel_id, arch } = keys.parse(await use().user.call('getTaskInfo', [parent]));

      const info = await use().user.call('getTaskInfo', [child]);

      expect(info).toMatchObject({ parent, owner, channel_id, arch, label: 'srpm', priority: 19, state: 0 });
    });

    it('stores keywords for the handler', async () => {
      const parent = await use().openTask();
      const child = await use().subtask(parent, { kwargs: { canfail: [1] } });

      const info = await use().user.call('getTaskInfo', [child, true]);

      expect(info).toHaveProperty('request', [1, { canfail: [1], __starstar: true }]);
    });

    it('is for the host that has the parent open', async () => {
      const theirs = await use().openTask(use().other);
      const closed = await use().openTask();
      await use().builder.call('host.closeTask', [closed, encodeResponse(null)]);

      for (const parent of [theirs, closed, await use().newTask()])
        await expectFault(use().builder.call('host.subtask', ['sleep', [1], parent]), 1004);
    });

    it(
      'cannot be given another owner',
      since(use, 'head', async () => {
        const parent = await use().openTask();

        await expectFault(use().builder.call('host.subtask', ['sleep', [1], parent], { owner: 1 }), 1004);
      }),
    );

    it('shows among the children of its parent', async () => {
      const parent = await use().openTask();
      const child = await use().subtask(parent, { label: 'x' });

      const children = await use().user.call('getTaskChildren', [parent], { request: true });

      expect(children).toMatchObject([{ id: child, label: 'x', request: [1] }]);
    });
  });

  describe('waiting', () => {
    it('marks the parent, and alerts it when an awaited child has ended', async () => {
      const parent = await use().openTask();
      const child = await use().subtask(parent);
      await use().builder.call('host.taskSetWait', [parent, [child]]);
      const before = await hostTask(parent);
      await closeChild(child);

      const after = await hostTask(parent);

      expect(before).toEqual(expect.objectContaining({ waiting: true }));
      expect(before).not.toHaveProperty('alert');
      expect(after).toEqual(expect.objectContaining({ waiting: true, alert: true }));
    });

    it('reports each child that has ended once, which clears the alert', async () => {
      const parent = await use().openTask();
      const [first, second] = [await use().subtask(parent), await use().subtask(parent)];
      await use().builder.call('host.taskSetWait', [parent, null]);
      await closeChild(first);

      expect(await use().builder.call('host.taskWait', [parent])).toEqual([[first], [second]]);
      expect(await use().builder.call('host.taskWait', [parent])).toEqual([[], [second]]);
      expect(await hostTask(parent)).not.toHaveProperty('alert');
    });

    it('is for the named children only', async () => {
      const parent = await use().openTask();
      const [first, second] = [await use().subtask(parent), await use().subtask(parent)];
      await use().builder.call('host.taskSetWait', [parent, null]);
      await use().builder.call('host.taskSetWait', [parent, [second]]);
      await closeChild(first);

      expect(await use().builder.call('host.taskWait', [parent])).toEqual([[], [second]]);
    });

    it('counts failed and cancelled children as ended', async () => {
      const parent = await use().openTask();
      const [failed, cancelled] = [await use().subtask(parent), await use().subtask(parent)];
      await use().builder.call('host.taskSetWait', [parent, null]);
      await failChild(failed);
      await use().admin.call('cancelTask', [cancelled]);

      // Hubs before 1.34 give them in any order.
      const ended = expect.arrayContaining([failed, cancelled]);
      expect(await use().builder.call('host.taskWait', [parent])).toEqual([ended, []]);
    });
  });

  describe('taskWaitResults', () => {
    it('gives the results and ends the waiting', async () => {
      const parent = await use().openTask();
      const child = await use().subtask(parent);
      await use().builder.call('host.taskSetWait', [parent, [child]]);
      await closeChild(child, encodeResponse({ rpms: ['a'] }));

      expect(await use().builder.call('host.taskWaitResults', [parent, [child]])).toEqual([
        [child, { rpms: ['a'] }],
      ]);
      expect(await hostTask(parent)).toEqual(expect.objectContaining({ waiting: false }));
    });

    it('gives those of all children that have ended when none are named', async () => {
      const parent = await use().openTask();
      const child = await use().subtask(parent);
      await use().subtask(parent);
      await closeChild(child);

      expect(await use().builder.call('host.taskWaitResults', [parent, null])).toEqual([[child, 'done']]);
    });

    it('raises the fault of a failed child, and the parent keeps waiting', async () => {
      const parent = await use().openTask();
      const child = await use().subtask(parent);
      await use().builder.call('host.taskSetWait', [parent, [child]]);
      await failChild(child);

      expect(await expectFault(use().builder.call('host.taskWaitResults', [parent, [child]]), 1005)).toBe(
        'no luck',
      );
      expect(await hostTask(parent)).toEqual(expect.objectContaining({ waiting: true }));
    });

    it('shows the fault of a child that may fail, cancelled ones included', async () => {
      const parent = await use().openTask();
      const [failed, cancelled] = [await use().subtask(parent), await use().subtask(parent)];
      await failChild(failed);
      await use().admin.call('cancelTask', [cancelled]);
      const both = [failed, cancelled];

      const results = await use().builder.call('host.taskWaitResults', [parent, both], { canfail: both });

      expect(results).toEqual([
        [failed, { faultCode: 1005, faultString: 'no luck' }],
        [cancelled, { faultCode: 1000, faultString: expect.stringContaining('canceled') }],
      ]);
    });

    it('refuses a child that was cancelled or has not ended', async () => {
      const parent = await use().openTask();
      const [free, cancelled] = [await use().subtask(parent), await use().subtask(parent)];
      await use().admin.call('cancelTask', [cancelled]);

      await expectFault(use().builder.call('host.taskWaitResults', [parent, [free]]), 1000);
      await expectFault(use().builder.call('host.taskWaitResults', [parent, [cancelled]]), 1000);
    });
  });
}

import { expect } from 'vitest';
import { z } from 'zod';
import { taskState } from '../../../src/devhub/rows.ts';
import { encodeResponse } from '../../../src/hub/xmlrpc/codec.ts';
import type { CallCase, FaultBench } from './fault-bench.ts';

const Task = z.looseObject({
  state: z.int(),
  host_id: z.int().nullable(),
  weight: z.number(),
  waiting: z.boolean().nullable(),
  awaited: z.boolean().nullable(),
});

/** What the hub says of a task. */
async function taskOf({ fixture }: FaultBench, id: number) {
  return Task.parse(await fixture.admin.call('getTaskInfo', [id]));
}

async function childrenOf({ fixture }: FaultBench, id: number) {
  const rows = await fixture.admin.call('getTaskChildren', [id]);
  return z.array(z.looseObject({ id: z.int(), state: z.int() })).parse(rows);
}

const stateOf = async (bench: FaultBench, id: number) => (await taskOf(bench, id)).state;

async function finishedChild({ fixture }: FaultBench, parent: number): Promise<number> {
  const child = await fixture.subtask(parent, { label: 'x' });
  await fixture.builder.call('host.openTask', [child]);
  await fixture.builder.call('host.closeTask', [child, encodeResponse('done')]);
  return child;
}

/** Calls about the host, its tasks and their children. */
export const taskCases: readonly CallCase[] = [
  {
    method: 'host.updateHost',
    async prepare({ fixture }) {
      const Host = z.looseObject({ task_load: z.number(), ready: z.boolean() });
      await fixture.builder.call('host.updateHost', [0, false]);
      return {
        call: (apis) => apis.host.updateHost(1.5, false, { methods: ['sleep'], maxjobs: 3 }),
        answer: undefined,
        state: async () => Host.parse(await fixture.builder.call('host.getHost')).task_load,
        after: 1.5,
      };
    },
  },
  {
    method: 'host.getTasks',
    async prepare(bench) {
      const assign = await bench.fixture.hostIdOf(bench.fixture.builder);
      const task = await bench.fixture.newTask({ assign });
      return {
        call: (apis) => apis.host.assignedTasks(),
        answer: expect.arrayContaining([expect.objectContaining({ id: task, method: 'sleep' })]),
        state: () => stateOf(bench, task),
        after: taskState.ASSIGNED,
      };
    },
  },
  {
    method: 'host.openTask',
    async prepare(bench) {
      const task = await bench.fixture.newTask();
      return {
        call: (apis) => apis.host.openTask(task),
        answer: expect.objectContaining({ id: task, request: [1] }),
        state: async () => (await taskOf(bench, task)).host_id,
        after: await bench.fixture.hostIdOf(bench.fixture.builder),
      };
    },
  },
  {
    method: 'host.closeTask',
    async prepare(bench) {
      const task = await bench.fixture.openTask();
      return {
        call: (apis) => apis.host.closeTask(task, ['the result']),
        answer: undefined,
        state: async () => [
          await stateOf(bench, task),
          await bench.fixture.admin.call('getTaskResult', [task]).catch(() => null),
        ],
        after: [taskState.CLOSED, ['the result']],
      };
    },
  },
  {
    method: 'host.failTask',
    async prepare(bench) {
      const task = await bench.fixture.openTask();
      return {
        call: (apis) => apis.host.failTask(task, { code: 1005, message: 'no luck' }),
        answer: undefined,
        state: () => stateOf(bench, task),
        after: taskState.FAILED,
      };
    },
  },
  {
    method: 'host.refuseTask',
    async prepare(bench) {
      const assign = await bench.fixture.hostIdOf(bench.fixture.builder);
      const task = await bench.fixture.newTask({ assign });
      return {
        call: (apis) => apis.host.refuseTask(task, { soft: false, msg: 'not here' }),
        answer: undefined,
        state: () => stateOf(bench, task),
        after: taskState.FREE,
      };
    },
  },
  {
    method: 'host.freeTasks',
    async prepare(bench) {
      const task = await bench.fixture.openTask();
      return {
        call: (apis) => apis.host.freeTasks([task]),
        answer: undefined,
        state: () => stateOf(bench, task),
        after: taskState.FREE,
      };
    },
  },
  {
    method: 'host.setTaskWeight',
    async prepare(bench) {
      const task = await bench.fixture.openTask();
      return {
        call: (apis) => apis.host.setTaskWeight(task, 2.5),
        answer: undefined,
        state: async () => (await taskOf(bench, task)).weight,
        after: 2.5,
      };
    },
  },
  {
    method: 'host.subtask',
    about: 'with a label',
    async prepare(bench) {
      const parent = await bench.fixture.openTask();
      let given = 0;
      return {
        async call(apis) {
          given = await apis.subtasks.subtask({ method: 'sleep', arglist: [1], parent, label: 'x86_64' });
        },
        answer: undefined,
        state: async () => (await childrenOf(bench, parent)).map(({ id }) => id === given),
        after: [true],
      };
    },
  },
  {
    method: 'host.subtask',
    about: 'without a label',
    async prepare(bench) {
      const parent = await bench.fixture.openTask();
      let given = 0;
      return {
        async call(apis) {
          given = await apis.subtasks.subtask({ method: 'sleep', arglist: [1, 2], parent });
        },
        answer: undefined,
        state: async () => (await childrenOf(bench, parent)).map(({ id }) => id === given),
        after: [true],
      };
    },
  },
  {
    method: 'host.taskSetWait',
    async prepare(bench) {
      const parent = await bench.fixture.openTask();
      const child = await bench.fixture.subtask(parent, { label: 'x' });
      return {
        call: (apis) => apis.subtasks.taskSetWait(parent, [child]),
        answer: undefined,
        state: async () => [(await taskOf(bench, parent)).waiting, (await taskOf(bench, child)).awaited],
        after: [true, true],
      };
    },
  },
  {
    method: 'host.taskWait',
    async prepare(bench) {
      const { fixture } = bench;
      const parent = await fixture.openTask();
      const child = await finishedChild(bench, parent);
      await fixture.builder.call('host.taskSetWait', [parent, [child]]);
      return {
        // Of the children that have finished an answer may say nothing when the one before was lost: then none is unfinished.
        call: async (apis) => (await apis.subtasks.taskWait(parent)).unfinished,
        answer: [],
        state: async () => (await taskOf(bench, child)).awaited,
        after: false,
      };
    },
  },
  {
    method: 'host.taskWaitResults',
    async prepare(bench) {
      const { fixture } = bench;
      const parent = await fixture.openTask();
      const child = await finishedChild(bench, parent);
      await fixture.builder.call('host.taskSetWait', [parent, [child]]);
      return {
        call: (apis) => apis.subtasks.taskWaitResults(parent, [child]),
        answer: new Map([[child, 'done']]),
        state: async () => (await taskOf(bench, parent)).waiting,
        after: false,
      };
    },
  },
  {
    method: 'cancelTaskChildren',
    async prepare(bench) {
      const parent = await bench.fixture.openTask();
      await bench.fixture.subtask(parent, { label: 'x' });
      return {
        call: (apis) => apis.subtasks.cancelTaskChildren(parent),
        answer: undefined,
        state: async () => (await childrenOf(bench, parent)).map(({ state }) => state),
        after: [taskState.CANCELED],
      };
    },
  },
];

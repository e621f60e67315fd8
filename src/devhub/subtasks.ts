import { z } from 'zod';
import { type RpcValue, withKeywords } from '../hub/xmlrpc/codec.ts';
import { AnyRpcValue, type Call, type MethodTable, method } from './call.ts';
import { notAllowed, Refusal, required } from './faults.ts';
import { type TaskRow, taskState } from './rows.ts';
import { assertHost } from './sessions.ts';
import { assertTaskOfHost, childrenOf, isFinished, makeTask, resultOf, resultOrFault } from './tasks.ts';

const taskId = z.int();
const TaskIds = z.array(taskId);

/** The awaited children of a task, by whether they have ended. */
export function waitCheck(call: Call, parent: number): { finished: TaskRow[]; unfinished: TaskRow[] } {
  const awaited = childrenOf(call, parent).filter((task) => task.awaited === true);
  return { finished: awaited.filter(isFinished), unfinished: awaited.filter((task) => !isFinished(task)) };
}

const ids = (tasks: readonly TaskRow[]): number[] => tasks.map((task) => task.id);

/** Marks a task as waiting and which children it waits for: the named ones, or all. */
function setWait(call: Call, parent: number, awaited: readonly number[] | null): void {
  const { tasks } = call.hub.state.tables;
  if (tasks.get(parent) === undefined) return;
  tasks.update(parent, { waiting: true });
  if (awaited !== null && awaited.length === 0) return;
  for (const child of childrenOf(call, parent)) {
    if (awaited === null || awaited.includes(child.id)) tasks.update(child.id, { awaited: true });
    else if (child.awaited === true) tasks.update(child.id, { awaited: false });
  }
}

function unwait(call: Call, parent: number): void {
  const { tasks } = call.hub.state.tables;
  if (tasks.get(parent) === undefined) return;
  tasks.update(parent, { waiting: false });
  for (const child of childrenOf(call, parent)) tasks.update(child.id, { awaited: false });
}

/** One child's result; a failed child's fault ends the whole call unless the child may fail. */
function waitedResult(task: TaskRow, canFail: boolean): RpcValue {
  if (!canFail) return [task.id, resultOf(task)];
  if (task.state !== taskState.CANCELED) return [task.id, resultOrFault(task)];
  try {
    return [task.id, resultOf(task)];
  } catch (error) {
    if (error instanceof Refusal) return [task.id, { faultCode: error.code, faultString: error.message }];
    throw error;
  }
}

/** How a task makes others and waits for them (`kojihub.Host`). */
export const subtaskMethods: MethodTable = {
  'host.subtask': method(
    {
      method: z.string(),
      arglist: z.array(AnyRpcValue),
      parent: taskId,
      label: z.string().optional(),
      channel: z.string().optional(),
      arch: z.string().optional(),
      priority: z.int().optional(),
      assign: z.int().optional(),
      kwargs: z.record(z.string(), AnyRpcValue).optional(),
      owner: z.unknown().optional(),
    },
    (call, { method, arglist, parent, kwargs, owner, ...options }) => {
      const parentTask = assertTaskOfHost(call, parent, assertHost(call).id);
      if (owner !== undefined) throw notAllowed('The owner option is not allowed here');
      const { label } = options;
      // The same parent and label mean the same subtask: a builder that lost the answer gets it again.
      const existing =
        label === undefined ? undefined : childrenOf(call, parent).find((task) => task.label === label);
      if (existing !== undefined) return existing.id;
      return makeTask(call, method, withKeywords(arglist, kwargs ?? {}), { ...options, parent: parentTask });
    },
  ),
  'host.taskSetWait': method({ parent: taskId, tasks: TaskIds.nullable() }, (call, { parent, tasks }) => {
    assertHost(call);
    setWait(call, parent, tasks);
    return null;
  }),
  'host.taskWait': method({ parent: taskId }, (call, { parent }) => {
    assertHost(call);
    const { finished, unfinished } = waitCheck(call, parent);
    for (const task of finished) call.hub.state.tables.tasks.update(task.id, { awaited: false });
    return [ids(finished), ids(unfinished)];
  }),
  'host.taskWaitResults': method(
    { parent: taskId, tasks: TaskIds.nullable(), canfail: TaskIds.nullish() },
    (call, { parent, tasks, canfail }) => {
      assertHost(call);
      unwait(call, parent);
      const wanted = tasks ?? ids(childrenOf(call, parent).filter(isFinished));
      return wanted.map((id) => {
        const task = required(call.hub.state.tables.tasks.get(id), 'No such task');
        return waitedResult(task, canfail?.includes(id) ?? false);
      });
    },
  ),
};

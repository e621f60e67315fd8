import { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { AnyRpcValue, type Call, double, type MethodTable, method } from './call.ts';
import { notAllowed, required } from './faults.ts';
import { cancelBuildsOf } from './notifications.ts';
import { type TaskRow, taskState } from './rows.ts';
import { runScheduler, setRefusal } from './scheduler.ts';
import { assertHost, assertLogin, assertPermission, hasPermission, hostOf } from './sessions.ts';
import { waitCheck } from './subtasks.ts';
import {
  assertTaskOfHost,
  childrenOf,
  defaultPriority,
  endTask,
  freeTask,
  isFinished,
  makeTask,
  mustFindTask,
  openTask,
  resultOf,
  resultOrFault,
  toTaskInfo,
  toTaskInfoWithRequest,
} from './tasks.ts';

const taskId = z.int();

/** Cancels a task, the build it is making and, when asked, all below it. A task that has ended stays as it is. */
function cancelTask(call: Call, task: TaskRow, recurse: boolean): void {
  if (isFinished(task)) return;
  call.hub.state.tables.tasks.update(task.id, { state: taskState.CANCELED, completion_time: call.now });
  cancelBuildsOf(call, task);
  if (recurse) for (const child of childrenOf(call, task.id)) cancelTask(call, child, true);
}

/** Owner, executing host or admin may cancel, no other. */
function assertMayCancel(call: Call, task: TaskRow): void {
  const isOwner = call.session?.user_id === task.owner;
  const isHost = task.state === taskState.OPEN && task.host_id === hostOf(call)?.id;
  if (!isOwner && !isHost && !hasPermission(call, 'admin')) throw notAllowed('Cannot cancel task, not owner');
}

function assignedTasks(call: Call, hostId: number): RpcValue[] {
  const assigned = call.hub.state.tables.tasks.filter(
    (task) => task.host_id === hostId && task.state === taskState.ASSIGNED,
  );
  assigned.sort((a, b) => a.priority - b.priority || a.create_time - b.create_time);
  return assigned.map((task) => ({
    id: task.id,
    state: task.state,
    channel_id: task.channel_id,
    host_id: task.host_id,
    arch: task.arch,
    method: task.method,
    priority: task.priority,
    create_ts: double(task.create_time),
  }));
}

function infoOf(call: Call, id: number, withRequest: boolean, strict: boolean): RpcValue {
  const task = strict ? mustFindTask(call, id) : call.hub.state.tables.tasks.get(id);
  if (task === undefined) return null;
  return withRequest ? toTaskInfoWithRequest(task) : toTaskInfo(task);
}

/** Tasks as builders and clients see them. */
export const taskMethods: MethodTable = {
  getChannel: method({ channelInfo: z.union([z.int(), z.string()]) }, (call, { channelInfo: wanted }) => {
    const found = call.hub.state.tables.channels.find(({ id, name }) => [id, name].includes(wanted));
    if (found === undefined) return null;
    return { id: found.id, name: found.name, description: null, enabled: true, comment: null };
  }),
  'host.getHostTasks': method({}, (call) => {
    const host = assertHost(call);
    const open = call.hub.state.tables.tasks.filter(
      (task) => task.host_id === host.id && task.state === taskState.OPEN,
    );
    return open.map((task): RpcValue => {
      const alert = task.waiting === true && waitCheck(call, task.id).finished.length > 0;
      const row = { id: task.id, waiting: task.waiting, weight: double(task.weight) };
      return alert ? { ...row, alert } : row;
    });
  }),
  'host.getTasks': method({}, (call) => {
    const host = assertHost(call);
    const assigned = assignedTasks(call, host.id);
    if (assigned.length > 0) return assigned;
    runScheduler(call.hub);
    return assignedTasks(call, host.id);
  }),
  'host.openTask': method({ task_id: taskId }, (call, { task_id }) => {
    const task = openTask(call, task_id, assertHost(call).id);
    return task === undefined ? null : { ...toTaskInfo(task), request: task.request };
  }),
  'host.closeTask': method({ task_id: taskId, response: z.string() }, (call, { task_id, response }) => {
    assertTaskOfHost(call, task_id, assertHost(call).id);
    endTask(call, task_id, taskState.CLOSED, response);
    return null;
  }),
  'host.failTask': method({ task_id: taskId, response: z.string() }, (call, { task_id, response }) => {
    assertTaskOfHost(call, task_id, assertHost(call).id);
    endTask(call, task_id, taskState.FAILED, response);
    return null;
  }),
  'host.freeTasks': method({ tasks: z.array(taskId) }, (call, { tasks }) => {
    const host = assertHost(call);
    for (const id of tasks) {
      const task = required(call.hub.state.tables.tasks.get(id), 'query returned no rows');
      if (task.state === taskState.OPEN && task.host_id === host.id) freeTask(call, task);
    }
    return null;
  }),
  'host.refuseTask': method(
    { task_id: taskId, soft: z.boolean().default(true), msg: z.string().default('') },
    (call, { task_id, soft, msg }) => {
      const host = assertHost(call);
      const task = mustFindTask(call, task_id);
      if (task.host_id !== host.id) return null;
      setRefusal(call, host.id, task_id, soft, msg);
      freeTask(call, task);
      return null;
    },
  ),
  'host.setTaskWeight': method({ task_id: taskId, weight: z.number() }, (call, { task_id, weight }) => {
    assertTaskOfHost(call, task_id, assertHost(call).id);
    call.hub.state.tables.tasks.update(task_id, { weight });
    return null;
  }),
  getTaskInfo: method(
    {
      task_id: z.union([taskId, z.array(taskId)]),
      request: z.boolean().default(false),
      strict: z.boolean().default(false),
    },
    (call, { task_id, request, strict }) =>
      Array.isArray(task_id)
        ? task_id.map((id) => infoOf(call, id, request, strict))
        : infoOf(call, task_id, request, strict),
  ),
  getTaskChildren: method(
    { task_id: taskId, request: z.boolean().default(false) },
    (call, { task_id, request }) =>
      childrenOf(call, task_id).map(request ? toTaskInfoWithRequest : toTaskInfo),
  ),
  getTaskResult: method(
    { taskId, raise_fault: z.boolean().default(true) },
    (call, { taskId, raise_fault }) => {
      const task = required(call.hub.state.tables.tasks.get(taskId), 'No such task');
      return raise_fault ? resultOf(task) : resultOrFault(task);
    },
  ),
  cancelTask: method(
    { task_id: taskId, recurse: z.boolean().default(true) },
    (call, { task_id, recurse }) => {
      const task = required(call.hub.state.tables.tasks.get(task_id), `No such task: ${task_id}`);
      assertMayCancel(call, task);
      cancelTask(call, task, recurse);
      return null;
    },
  ),
  cancelTaskChildren: method({ task_id: taskId }, (call, { task_id }) => {
    assertLogin(call);
    const task = required(call.hub.state.tables.tasks.get(task_id), `No such task: ${task_id}`);
    assertMayCancel(call, task);
    for (const child of childrenOf(call, task.id)) cancelTask(call, child, true);
    return null;
  }),
  freeTask: method({ task_id: taskId }, (call, { task_id }) => {
    assertPermission(call, 'admin');
    freeTask(call, mustFindTask(call, task_id));
    return null;
  }),
  makeTask: method(
    {
      method: z.string(),
      arglist: z.array(AnyRpcValue),
      channel: z.string().optional(),
      arch: z.string().optional(),
      priority: z.int().optional(),
      assign: z.int().optional(),
    },
    (call, { method, arglist, ...options }) => {
      assertPermission(call, 'admin');
      return makeTask(call, method, arglist, options);
    },
  ),
  build: method(
    {
      src: z.string(),
      target: z.string(),
      opts: AnyRpcValue.nullish(),
      priority: z.int().nullish(),
      channel: z.string().nullish(),
    },
    (call, { src, target, opts, priority, channel }) => {
      assertLogin(call);
      if (priority !== undefined && priority !== null && priority < 0 && !hasPermission(call, 'admin'))
        throw notAllowed('only admins may create high-priority tasks');
      return makeTask(call, 'build', [src, target, opts ?? {}], {
        priority: defaultPriority + (priority ?? 0),
        channel: channel ?? undefined,
      });
    },
  ),
};

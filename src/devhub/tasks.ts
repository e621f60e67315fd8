import { HubFault } from '../hub/faults.ts';
import { encodeCall, RpcDouble, type RpcValue } from '../hub/xmlrpc/codec.ts';
import { decodeCall, decodeResponse } from '../hub/xmlrpc/decode.ts';
import { type Call, double, timeText } from './call.ts';
import { generic, notAllowed, required } from './faults.ts';
import { stateName, type TaskRow, taskState } from './rows.ts';
import { refuseByArch } from './scheduler.ts';

const finishedStates: readonly number[] = [taskState.CLOSED, taskState.CANCELED, taskState.FAILED];

/** Koji's default priority of a task; smaller numbers go first. */
export const defaultPriority = 20;

export function isFinished(task: TaskRow): boolean {
  return finishedStates.includes(task.state);
}

/** The task, or the refusal 1000 that an unknown id gives. */
export function mustFindTask(call: Call, taskId: number): TaskRow {
  return required(call.hub.state.tables.tasks.get(taskId), 'query returned no rows');
}

/** Refuses (1004) unless the task is OPEN on this host (`Task.assertHost`). */
export function assertTaskOfHost(call: Call, taskId: number, hostId: number): TaskRow {
  const task = required(call.hub.state.tables.tasks.get(taskId), `No such task: ${taskId}`);
  if (task.state !== taskState.OPEN || task.host_id !== hostId)
    throw notAllowed(`host ${hostId} does not own task ${taskId}`);
  return task;
}

export function childrenOf(call: Call, taskId: number): TaskRow[] {
  return call.hub.state.tables.tasks.filter((task) => task.parent === taskId);
}

/** A task as getTaskInfo, getTaskChildren and openTask show it. */
export function toTaskInfo(task: TaskRow): Record<string, RpcValue> {
  return {
    id: task.id,
    state: task.state,
    create_time: timeText(task.create_time),
    create_ts: double(task.create_time),
    start_time: timeText(task.start_time),
    start_ts: double(task.start_time),
    completion_time: timeText(task.completion_time),
    completion_ts: double(task.completion_time),
    channel_id: task.channel_id,
    host_id: task.host_id,
    parent: task.parent,
    label: task.label,
    waiting: task.waiting,
    awaited: task.awaited,
    owner: task.owner,
    method: task.method,
    arch: task.arch,
    priority: task.priority,
    weight: new RpcDouble(task.weight),
  };
}

/** A task with its decoded request. */
export function toTaskInfoWithRequest(task: TaskRow): Record<string, RpcValue> {
  return { ...toTaskInfo(task), request: decodeRequest(task) };
}

/** The parameters of a task as its creator wrote them. */
export function decodeRequest(task: TaskRow): readonly RpcValue[] {
  return decodeCall(task.request).params;
}

export interface TaskOptions {
  /** The task that waits for this one; the caller has made sure that it is OPEN. */
  readonly parent?: TaskRow | undefined;
  readonly label?: string | undefined;
  readonly channel?: string | undefined;
  readonly arch?: string | undefined;
  readonly priority?: number | undefined;
  readonly owner?: number | undefined;
  /** A host that gets the task at once, instead of the scheduler's choice. */
  readonly assign?: number | undefined;
}

/** Makes a task; what is not said comes from the parent (`make_task`). */
export function makeTask(
  call: Call,
  method: string,
  params: readonly RpcValue[],
  options: TaskOptions,
): number {
  const { tasks } = call.hub.state.tables;
  const { parent } = options;
  const owner = options.owner ?? parent?.owner ?? call.session?.user_id;
  const task = tasks.insert({
    state: options.assign === undefined ? taskState.FREE : taskState.ASSIGNED,
    create_time: call.now,
    start_time: null,
    completion_time: null,
    channel_id: channelFor(call, options.channel, parent),
    host_id: options.assign ?? null,
    parent: parent?.id ?? null,
    label: parent === undefined ? null : (options.label ?? null),
    waiting: null,
    awaited: null,
    owner: required(owner, 'task must have an owner'),
    method,
    request: encodeCall(method, params),
    result: null,
    arch: checkArches(options.arch ?? parent?.arch ?? 'noarch'),
    priority: options.priority ?? (parent === undefined ? defaultPriority : parent.priority - 1),
    weight: 1,
  });
  refuseByArch(call, task);
  return task.id;
}

/** The hub's default channel policy: the requested one, else the parent's, else `default`. */
function channelFor(call: Call, name: string | undefined, parent: TaskRow | undefined): number {
  if (name === undefined && parent !== undefined) return parent.channel_id;
  const wanted = name ?? 'default';
  const channel = call.hub.state.tables.channels.find((row) => row.name === wanted);
  return required(channel, `No such channel: ${wanted}`).id;
}

/** A list of arches as a task or buildroot has it; anything but plain names is refused. */
export function checkArches(arches: string): string {
  const names = arches.split(/\s+/).filter((name) => name !== '');
  if (!names.every((name) => /^[a-zA-Z0-9_-]*$/.test(name)))
    throw generic('Architecture can be only [a-zA-Z0-9_-]');
  return names.join(' ');
}

/** Opens a FREE task, or one assigned to this host. Undefined for every other: no fault, the host just lost it. */
export function openTask(call: Call, taskId: number, hostId: number): TaskRow | undefined {
  const task = mustFindTask(call, taskId);
  const isMine = task.state === taskState.ASSIGNED && task.host_id === hostId;
  if (task.state !== taskState.FREE && !isMine) return undefined;
  return call.hub.state.tables.tasks.update(taskId, {
    state: taskState.OPEN,
    host_id: hostId,
    start_time: call.now,
  });
}

/** Ends a task with the XML document the builder sent; a result that does not decode is refused, and nothing ends. */
export function endTask(call: Call, taskId: number, state: number, result: string): void {
  const task = call.hub.state.tables.tasks.update(taskId, { state, result, completion_time: call.now });
  if (state === taskState.CLOSED) decodeResult(task);
}

/** Gives a task back; it is FREE for any host (`Task.free`). */
export function freeTask(call: Call, task: TaskRow): void {
  if (isFinished(task))
    throw generic(`Cannot free task ${task.id}, state is ${stateName(taskState, task.state)}`);
  call.hub.state.tables.tasks.update(task.id, { state: taskState.FREE, host_id: null });
}

/** What a task ended with. A failed task's fault is thrown; a task that has no result is refused with 1000. */
export function resultOf(task: TaskRow): RpcValue {
  if (task.state === taskState.CANCELED) throw generic(`Task ${task.id} is canceled`);
  if (!isFinished(task)) throw generic(`Task ${task.id} is not finished`);
  return decodeResult(task);
}

/** The same for callers who want a fault as a value. */
export function resultOrFault(task: TaskRow): RpcValue {
  try {
    return resultOf(task);
  } catch (error) {
    if (error instanceof HubFault) return { faultCode: error.faultCode, faultString: error.faultString };
    throw error;
  }
}

function decodeResult(task: TaskRow): RpcValue {
  const xml = task.result ?? '';
  // Without the declaration the hub takes the text for base64, which it hardly ever is.
  const start = xml.slice(0, 10).includes('<?xml') ? xml : Buffer.from(xml, 'base64').toString();
  return decodeResponse(start);
}

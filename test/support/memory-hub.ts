import type { z } from 'zod';
import { untilAborted } from '../../src/core/deadline.ts';
import { faultCodes } from '../../src/core/koji-faults.ts';
import { buildrootStates, taskStates } from '../../src/hub/api/schema.ts';
import { HubFault, type SessionLost } from '../../src/hub/faults.ts';
import type {
  CallOptions,
  HubSession,
  SessionState,
  UploadChunk,
  UploadedChunk,
} from '../../src/hub/session/session.ts';
import { parseAnswer } from '../../src/hub/session/session-info.ts';
import { encodeCall, RpcDouble, type RpcValue } from '../../src/hub/xmlrpc/codec.ts';

type Keywords = Readonly<Record<string, RpcValue>>;

/** One call as the hub saw it; of uploads `params` are directory, name and text. */
export interface HubCall {
  readonly session: number;
  readonly method: string;
  readonly params: readonly RpcValue[];
  readonly keywords: Keywords;
}

export interface MemoryTask {
  readonly id: number;
  readonly method: string;
  readonly request: readonly RpcValue[];
  readonly parent: number | null;
  readonly arch: string;
  readonly channel: number;
  readonly priority: number;
  state: keyof typeof taskStates;
  host: number | null;
  weight: number;
  waiting: boolean;
  alert: boolean;
  /** The document it was closed or failed with. */
  result: string | null;
}

type Trouble = Error | 'hang' | (() => void | Promise<void>);

/** Our host's id, and that of another one. */
export const ourHost = 7;
export const otherHost = 8;

/**
 * A hub in memory, without a wire: enough of its rules for what runs tasks. Methods can be made to fail, to
 * hang, or to have something happen while they are answered.
 */
export class MemoryHub {
  readonly calls: HubCall[] = [];
  readonly tasks = new Map<number, MemoryTask>();
  readonly buildroots = new Map<number, { state: keyof typeof buildrootStates; task: number | null }>();
  readonly uploads = new Map<string, Buffer>();
  readonly closedSessions: number[] = [];
  /** What `host.updateHost` said last. */
  told: { readonly load: number; readonly ready: boolean } | null = null;
  enabled = true;
  capacity = 4;
  arches = 'x86_64 noarch';
  /** The channels that our host is in. */
  channels: readonly number[] = [1];
  /** Where the channel policy puts children. */
  childChannel = 1;
  /** Tasks that our host has refused. */
  readonly refused: number[] = [];
  /** Set: every call ends in this. */
  lost: SessionLost | null = null;
  readonly #troubles = new Map<string, Trouble[]>();
  readonly #lasting = new Map<string, Trouble>();
  #changed = Promise.withResolvers<void>();
  #lastSession = 1;
  #lastTask = 100;

  /** The main session. */
  session(): HubSession {
    return new MemorySession(this, 1, null);
  }

  addTask(method: string, request: readonly RpcValue[] = [], more: Partial<MemoryTask> = {}): number {
    this.#lastTask += 1;
    const id = more.id ?? this.#lastTask;
    const state = 'assigned';
    const unset = {
      parent: null,
      arch: 'noarch',
      channel: 1,
      priority: 20,
      weight: 1,
      waiting: false,
      alert: false,
      result: null,
    };
    this.tasks.set(id, { id, method, request, state, host: ourHost, ...unset, ...more });
    return id;
  }

  task(id: number): MemoryTask {
    const task = this.tasks.get(id);
    if (task === undefined) throw new HubFault(faultCodes.generic, `No such task: ${id}`);
    return task;
  }

  /** What goes wrong, or happens, at the next calls of a method, one after the other; then it works again. */
  once(method: string, ...troubles: readonly Trouble[]): this {
    this.#troubles.set(method, [...(this.#troubles.get(method) ?? []), ...troubles]);
    return this;
  }

  /** What goes wrong, or happens, at every call of a method from now on. */
  always(method: string, trouble: Trouble): this {
    this.#lasting.set(method, trouble);
    return this;
  }

  /** Methods that were called, in order; of one session when it is given. */
  methods(session?: number): readonly string[] {
    return this.calls
      .filter((call) => session === undefined || call.session === session)
      .map((c) => c.method);
  }

  /** Parameters of all calls of a method, in order. */
  paramsOf(method: string): readonly (readonly RpcValue[])[] {
    return this.calls.filter((call) => call.method === method).map(({ params }) => params);
  }

  /** Resolves when a method has been called this many times. */
  async called(method: string, times = 1): Promise<void> {
    while (this.paramsOf(method).length < times) await this.#changed.promise;
  }

  record(call: HubCall): void {
    this.calls.push(call);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  openSession(): number {
    this.#lastSession += 1;
    return this.#lastSession;
  }

  async trouble(method: string, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.lost !== null) throw this.lost;
    const trouble = this.#troubles.get(method)?.shift() ?? this.#lasting.get(method);
    if (trouble instanceof Error) throw trouble;
    const answered = trouble === 'hang' ? new Promise<never>(() => undefined) : Promise.resolve(trouble?.());
    await (signal === undefined ? answered : untilAborted(answered, signal));
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }

  answer(method: string, params: readonly RpcValue[], keywords: Keywords): RpcValue {
    const handler = this.#handlers[method];
    if (handler === undefined) throw new HubFault(faultCodes.generic, `Invalid method: ${method}`);
    return handler(params, keywords);
  }

  readonly #handlers: Readonly<
    Record<string, (params: readonly RpcValue[], keywords: Keywords) => RpcValue>
  > = {
    getKojiVersion: () => '1.35.3',
    'host.getID': () => ourHost,
    'host.getHost': () => ({
      id: ourHost,
      name: 'builder',
      user_id: 1,
      arches: this.arches,
      capacity: this.capacity,
      task_load: this.told?.load ?? 0,
      enabled: this.enabled,
      ready: this.told?.ready ?? false,
    }),
    'host.updateHost': ([load, ready]) => {
      this.told = { load: numberOf(load), ready: ready === true };
      return null;
    },
    'host.getHostTasks': () =>
      this.#ours('open').map(({ id, waiting, weight, alert }) => ({
        id,
        waiting,
        weight,
        ...(alert && { alert }),
      })),
    'host.getTasks': () => this.#ours('assigned').map((task) => toRow(task)),
    'host.openTask': ([id]) => {
      const task = this.task(numberOf(id));
      if (!['free', 'assigned'].includes(task.state) || (task.state === 'assigned' && task.host !== ourHost))
        return null;
      Object.assign(task, { state: 'open', host: ourHost });
      return { ...toRow(task), request: encodeCall(task.method, task.request) };
    },
    'host.setTaskWeight': ([id, weight]) => {
      this.#held(id).weight = numberOf(weight);
      return null;
    },
    'host.closeTask': ([id, document]) => this.#end(id, 'closed', document),
    'host.failTask': ([id, document]) => this.#end(id, 'failed', document),
    'host.freeTasks': ([ids]) => {
      for (const id of ids as readonly number[]) {
        const task = this.task(id);
        if (task.state === 'open' && task.host === ourHost)
          Object.assign(task, { state: 'free', host: null });
      }
      return null;
    },
    'host.refuseTask': ([id]) => {
      const task = this.task(numberOf(id));
      if (task.host === ourHost) Object.assign(task, { state: 'free', host: null });
      return null;
    },
    getTaskInfo: ([id], { request }) => {
      const task = this.tasks.get(numberOf(id));
      return task === undefined
        ? null
        : { ...toRow(task), ...(request === true && { request: task.request }) };
    },
    'host.subtask': (_params, { method, arglist, parent, arch, assign }) =>
      this.addTask(String(method), arglist as readonly RpcValue[], {
        parent: numberOf(parent),
        state: assign === undefined ? 'free' : 'assigned',
        host: assign === undefined ? null : numberOf(assign),
        arch: typeof arch === 'string' ? arch : 'noarch',
        channel: this.childChannel,
        priority: 19,
      }),
    listChannels: () => this.channels.map((id) => ({ id })),
    listTasks: ([options]) => {
      const wanted = options as { state: number[]; channel_id: number[]; arch: string[] };
      return [...this.tasks.values()]
        .filter(({ state }) => wanted.state.includes(taskStates[state]))
        .filter(({ channel, arch }) => wanted.channel_id.includes(channel) && wanted.arch.includes(arch))
        .toSorted((a, b) => a.priority - b.priority || a.id - b.id)
        .map((task) => toRow(task));
    },
    'scheduler.getTaskRefusals': () => this.refused.map((id) => ({ task_id: id })),
    'host.taskSetWait': ([id]) => {
      this.#held(id).waiting = true;
      return null;
    },
    'host.taskWait': ([id]) => {
      const children = [...this.tasks.values()].filter(({ parent }) => parent === id);
      const hasEnded = ({ state }: MemoryTask) => ['closed', 'failed', 'canceled'].includes(state);
      const idsOf = (some: MemoryTask[]) => some.map((child) => child.id);
      return [idsOf(children.filter(hasEnded)), idsOf(children.filter((child) => !hasEnded(child)))];
    },
    'host.taskWaitResults': ([, ids]) => (ids as readonly number[]).map((id) => [id, null]),
    listBuildroots: () =>
      [...this.buildroots]
        .filter(([, { state }]) => state !== 'expired')
        .map(([id, { state, task }]) => ({
          id,
          state: buildrootStates[state],
          arch: 'x86_64',
          host_id: ourHost,
          task_id: task,
          repo_id: 1,
          tag_name: 'f1-build',
        })),
    'host.setBuildRootState': ([id, state]) => {
      const buildroot = this.buildroots.get(numberOf(id));
      if (buildroot === undefined) throw new HubFault(faultCodes.generic, 'no such buildroot');
      buildroot.state = String(state).toLowerCase() as keyof typeof buildrootStates;
      return null;
    },
    checkUpload: ([directory, name]) => {
      const file = this.uploads.get(`${directory}/${name}`);
      return file === undefined ? null : { size: file.length };
    },
  };

  #ours(state: MemoryTask['state']): MemoryTask[] {
    return [...this.tasks.values()].filter((task) => task.state === state && task.host === ourHost);
  }

  #held(id: RpcValue | undefined): MemoryTask {
    const task = this.task(numberOf(id));
    if (task.state !== 'open' || task.host !== ourHost)
      throw new HubFault(faultCodes.actionNotAllowed, `host ${ourHost} does not own task ${task.id}`);
    return task;
  }

  #end(id: RpcValue | undefined, state: 'closed' | 'failed', document: RpcValue | undefined): null {
    Object.assign(this.#held(id), { state, result: String(document) });
    return null;
  }
}

class MemorySession implements HubSession {
  readonly info: HubSession['info'];
  readonly hubVersion = '1.35.3';
  readonly #hub: MemoryHub;

  constructor(hub: MemoryHub, id: number, master: number | null) {
    this.#hub = hub;
    this.info = { id, master };
  }

  async call<T>(
    method: string,
    params: readonly RpcValue[],
    answer: z.ZodType<T>,
    { signal, keywords = {} }: CallOptions<T> = {},
  ): Promise<T> {
    this.#record(method, params, keywords);
    await this.#hub.trouble(method, signal);
    return parseAnswer(method, answer, this.#hub.answer(method, params, keywords));
  }

  async upload(
    { directory, name, offset, bytes }: UploadChunk,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<UploadedChunk> {
    const path = `${directory}/${name}`;
    this.#record('upload', [directory, name, Buffer.from(bytes).toString()], {});
    await this.#hub.trouble('upload', signal);
    const before = this.#hub.uploads.get(path)?.subarray(0, offset) ?? Buffer.alloc(0);
    this.#hub.uploads.set(path, Buffer.concat([before, bytes]));
    return { problem: null, resent: false };
  }

  async subsession(signal?: AbortSignal): Promise<HubSession> {
    this.#record('subsession', [], {});
    await this.#hub.trouble('subsession', signal);
    return new MemorySession(this.#hub, this.#hub.openSession(), this.info.id);
  }

  async resumeSubsession(id: number): Promise<HubSession | null> {
    return new MemorySession(this.#hub, id, this.info.id);
  }

  async exclusiveSession(force: boolean, signal?: AbortSignal): Promise<void> {
    this.#record('exclusiveSession', [], { force });
    await this.#hub.trouble('exclusiveSession', signal);
  }

  async logout(): Promise<void> {
    this.#record('logout', [], {});
    await this.#hub.trouble('logout', undefined);
    this.#hub.closedSessions.push(this.info.id);
  }

  state(): SessionState {
    return { ...this.info, key: 'key', callnum: 0, exclusive: true, headerAuth: true };
  }

  #record(method: string, params: readonly RpcValue[], keywords: Keywords): void {
    this.#hub.record({ session: this.info.id, method, params, keywords });
  }
}

function toRow(task: MemoryTask) {
  return {
    id: task.id,
    state: taskStates[task.state],
    method: task.method,
    arch: task.arch,
    host_id: task.host,
    owner: 1,
    parent: task.parent,
    label: null,
    channel_id: task.channel,
    priority: task.priority,
    weight: task.weight,
    create_ts: 1_700_000_000,
    start_ts: task.state === 'free' ? null : 1_700_000_001,
  };
}

function numberOf(value: RpcValue | undefined): number {
  if (value instanceof RpcDouble) return value.value;
  if (typeof value !== 'number') throw new Error(`not a number: ${String(value)}`);
  return value;
}

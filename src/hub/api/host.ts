import { z } from 'zod';
import type { HubSession } from '../session/session.ts';
import { encodeFault, encodeResponse, RpcDouble, type RpcValue } from '../xmlrpc/codec.ts';
import { LoadData } from './load-data.ts';
import { doneBefore } from './lost-answers.ts';
import {
  AnyRpcValue,
  AssignedTask,
  Channel,
  HeldTask,
  HostInfo,
  Ignored,
  OpenTask,
  SessionRow,
  TaskInfo,
  taskStates,
} from './schema.ts';
import { VersionApi } from './version.ts';

/** What the scheduler is told about this host; of these it uses `maxjobs` only. */
export interface HostData {
  readonly methods: readonly string[];
  readonly maxjobs: number;
}

/** Why a task failed: one of Koji's fault codes and a message for people. */
export interface TaskFault {
  readonly code: number;
  readonly message: string;
}

/**
 * This host and its tasks, for the poll loop and for ending tasks. Errors are those of
 * {@link HubSession}; a fault 1004 of a call about a task says that it is not OPEN on this host (any more):
 * it was cancelled, freed or given to another.
 */
export class HostApi {
  readonly #session: HubSession;
  readonly #version: VersionApi;
  #hostId: number | null = null;

  constructor(session: HubSession) {
    this.#session = session;
    this.#version = new VersionApi(session);
  }

  /** `host.getID`, asked once. A user that is no host gets SessionLost. */
  async hostId(signal?: AbortSignal): Promise<number> {
    this.#hostId ??= await this.#session.call('host.getID', [], z.int(), { signal });
    return this.#hostId;
  }

  /** `host.getHost`. */
  async host(signal?: AbortSignal): Promise<HostInfo> {
    return this.#session.call('host.getHost', [], HostInfo, { signal });
  }

  /** `host.updateHost`: the check-in, needed every 180 seconds. `load` is the weight of the running tasks. */
  async updateHost(load: number, ready: boolean, data?: HostData, signal?: AbortSignal): Promise<void> {
    const told = data !== undefined && (await this.#version.takesHostData(signal)) ? data : null;
    const keywords = told === null ? {} : { data: { methods: told.methods, maxjobs: told.maxjobs } };
    await this.#session.call('host.updateHost', [new RpcDouble(load), ready], Ignored, {
      signal,
      keywords,
      retryError: doneBefore,
    });
  }

  /** `host.getHostTasks`: the tasks that are OPEN on this host. */
  async heldTasks(signal?: AbortSignal): Promise<readonly HeldTask[]> {
    return this.#session.call('host.getHostTasks', [], z.array(HeldTask), { signal });
  }

  /**
   * `host.getTasks`: the tasks that the scheduler gave to this host; asking lets the scheduler run. Called
   * again when an answer was lost. Only on hubs from 1.34 on.
   */
  async assignedTasks(signal?: AbortSignal): Promise<readonly AssignedTask[]> {
    const ask = (): Promise<readonly AssignedTask[]> =>
      this.#session.call('host.getTasks', [], z.array(AssignedTask), { signal, retryError: ask });
    return ask();
  }

  /** `host.getLoadData`: what a host on a hub before 1.34 chooses its tasks from. */
  async loadData(signal?: AbortSignal): Promise<LoadData> {
    return this.#session.call('host.getLoadData', [], LoadData, { signal });
  }

  /**
   * `host.openTask`: takes a task that is assigned to this host or FREE. Null when it is neither. After a
   * lost answer, `getTaskInfo` tells: OPEN on this host is ours.
   */
  async openTask(id: number, signal?: AbortSignal): Promise<OpenTask | null> {
    return this.#session.call('host.openTask', [id], OpenTask.nullable(), {
      signal,
      doubtful: (answer) => answer === null,
      retryError: async () => {
        const task = await this.taskInfo(id, { request: true, signal });
        if (task === null || task.request === null || !(await this.#isMine(task, signal))) return null;
        return task.state === taskStates.open ? { ...task, request: task.request } : null;
      },
    });
  }

  /** `host.closeTask`: the task succeeded. After a lost answer, `getTaskInfo` CLOSED counts as done. */
  async closeTask(id: number, result: RpcValue, signal?: AbortSignal): Promise<void> {
    await this.#endTask('host.closeTask', id, encodeResponse(result), taskStates.closed, signal);
  }

  /** `host.failTask`: the task failed. After a lost answer, `getTaskInfo` FAILED counts as done. */
  async failTask(id: number, fault: TaskFault, signal?: AbortSignal): Promise<void> {
    await this.#endTask(
      'host.failTask',
      id,
      encodeFault(fault.code, fault.message),
      taskStates.failed,
      signal,
    );
  }

  /**
   * `host.refuseTask`: gives an assigned or open task back. `soft`: this host may get it again later (after
   * 15 minutes); otherwise never. Without effect on tasks that are not this host's. Hubs before 1.34 know no
   * refusals: there an open task goes back to the queue, and this host must remember not to take it.
   */
  async refuseTask(
    id: number,
    reason: { readonly soft: boolean; readonly msg: string },
    signal?: AbortSignal,
  ): Promise<void> {
    if (!(await this.#version.assignsTasks(signal))) return this.freeTasks([id], signal);
    await this.#session.call('host.refuseTask', [id], Ignored, {
      signal,
      keywords: { soft: reason.soft, msg: reason.msg },
      retryError: doneBefore,
    });
  }

  /** `host.freeTasks`: puts tasks back into the queue; those that are not OPEN on this host are left alone. */
  async freeTasks(ids: readonly number[], signal?: AbortSignal): Promise<void> {
    await this.#session.call('host.freeTasks', [ids], Ignored, { signal, retryError: doneBefore });
  }

  /** `host.setTaskWeight`. */
  async setTaskWeight(id: number, weight: number, signal?: AbortSignal): Promise<void> {
    await this.#session.call('host.setTaskWeight', [id, new RpcDouble(weight)], Ignored, {
      signal,
      retryError: doneBefore,
    });
  }

  /** `getTaskInfo`; null when there is no such task. The parameters are read only with `request`. */
  async taskInfo(
    id: number,
    options: { readonly request?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<TaskInfo | null> {
    const keywords = options.request === true ? { request: true } : {};
    return this.#session.call('getTaskInfo', [id], TaskInfo.nullable(), { signal: options.signal, keywords });
  }

  /** `listHosts`: the hosts that are enabled, of a channel (by name or number) and of arches unless these are null; `row` as the hub tells it. */
  async enabledHosts(
    {
      channel,
      arches,
    }: {
      readonly channel: number | string | null;
      readonly arches: string | readonly string[] | null;
    },
    signal?: AbortSignal,
  ): Promise<readonly { readonly id: number; readonly row: RpcValue }[]> {
    const rows = await this.#session.call('listHosts', [], z.array(AnyRpcValue), {
      signal,
      keywords: {
        enabled: true,
        ...(channel !== null && { channelID: channel }),
        ...(arches !== null && { arches }),
      },
    });
    return rows.map((row) => ({ id: z.object({ id: z.int() }).parse(row).id, row }));
  }

  /** Name of the channel that a task is in, by `getTaskInfo` and `getChannel`; null when it is in none. */
  async channelOf(taskId: number, signal?: AbortSignal): Promise<string | null> {
    const channelId = (await this.taskInfo(taskId, { signal }))?.channelId ?? null;
    if (channelId === null) return null;
    return (
      (await this.#session.call('getChannel', [channelId], Channel.nullable(), { signal }))?.name ?? null
    );
  }

  /** `getSessionInfo`. */
  async sessionInfo(signal?: AbortSignal): Promise<SessionRow> {
    return this.#session.call('getSessionInfo', [], SessionRow, { signal });
  }

  /** `logoutChild`: closes a subsession of this session, such as one of a task that was stopped. Repeatable. */
  async closeSubsession(id: number, signal?: AbortSignal): Promise<void> {
    await this.#session.call('logoutChild', [id], Ignored, { signal, retryError: doneBefore });
  }

  async #isMine(task: TaskInfo, signal?: AbortSignal): Promise<boolean> {
    return task.hostId === (await this.hostId(signal));
  }

  async #endTask(
    method: string,
    id: number,
    document: string,
    wanted: number,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#session.call(method, [id, document], Ignored, {
      signal,
      retryError: async (reason) => {
        const task = await this.taskInfo(id, { signal });
        if (task === null || task.state !== wanted || !(await this.#isMine(task, signal))) throw reason;
      },
    });
  }
}

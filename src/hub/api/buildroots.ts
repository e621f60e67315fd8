import { z } from 'zod';
import { HubFault } from '../faults.ts';
import type { HubSession } from '../session/session.ts';
import { doneBefore, waitForTaskLock } from './lost-answers.ts';
import { BuildrootInfo, buildrootStates, Ignored } from './schema.ts';

/** A package in a buildroot. `id` (of the hub's rpm) or `location` (id or name of an external repo) say where it came from. */
export interface BuildrootPackage {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly epoch: number | null;
  readonly arch: string;
  readonly size: number;
  readonly buildtime: number;
  /** The header's SIGMD5 as hex digits. */
  readonly payloadhash: string;
  readonly id?: number;
  readonly location?: number | string;
}

export type BuildrootState = keyof typeof buildrootStates;

/** The hub's records of buildroots. A record can be changed by the host whose task made it. */
export class BuildrootsApi {
  readonly #session: HubSession;

  constructor(session: HubSession) {
    this.#session = session;
  }

  /**
   * `host.newBuildRoot`: a record in state INIT; gives its id. The task must be OPEN here. After a lost
   * answer, the task's newest buildroot of that repo and arch in INIT is taken; when there is none, it is made.
   */
  async newBuildRoot(repoId: number, arch: string, taskId: number, signal?: AbortSignal): Promise<number> {
    return this.#session.call('host.newBuildRoot', [repoId, arch], z.int(), {
      signal,
      keywords: { task_id: taskId },
      once: true,
      retryError: async (reason) => {
        const made = await this.listBuildroots({ taskId, states: ['init'] }, signal);
        const same = made.filter((root) => root.repoId === repoId && root.arch === arch);
        if (same.length > 0) return Math.max(...same.map((root) => root.id));
        if (reason instanceof HubFault) throw reason;
        return this.newBuildRoot(repoId, arch, taskId, signal);
      },
    });
  }

  /**
   * `host.setBuildRootList`: what was installed when building began; state INIT only, and once only. After a
   * lost answer, the number of packages the hub has listed tells whether it was carried out.
   */
  async setBuildRootList(
    id: number,
    packages: readonly BuildrootPackage[],
    taskId: number,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#session.call('host.setBuildRootList', [id, packages.map(toStruct)], Ignored, {
      signal,
      keywords: { task_id: taskId },
      once: true,
      retryError: async (reason) => {
        await waitForTaskLock(this.#session, taskId, signal);
        const listed = await this.#session.call('listRPMs', [], z.int(), {
          signal,
          keywords: { componentBuildrootID: id, queryOpts: { countOnly: true } },
        });
        if (listed === packages.length) return;
        if (listed > 0 || reason instanceof HubFault) throw reason;
        await this.setBuildRootList(id, packages, taskId, signal);
      },
    });
  }

  /** `host.updateBuildRootList`: what is installed after building; state BUILDING only. Known ones are skipped. */
  async updateBuildRootList(
    id: number,
    packages: readonly BuildrootPackage[],
    taskId: number,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#session.call('host.updateBuildRootList', [id, packages.map(toStruct)], Ignored, {
      signal,
      keywords: { task_id: taskId },
      retryError: doneBefore,
    });
  }

  /** `host.setBuildRootState`; EXPIRED is final, and may be set again. */
  async setBuildRootState(id: number, state: BuildrootState, signal?: AbortSignal): Promise<void> {
    await this.#session.call('host.setBuildRootState', [id, state.toUpperCase()], Ignored, {
      signal,
      retryError: doneBefore,
    });
  }

  /** `listBuildroots`, by host or task, in the given states. */
  async listBuildroots(
    filter: {
      readonly hostId?: number;
      readonly taskId?: number;
      readonly ids?: readonly number[];
      readonly states?: readonly BuildrootState[];
    },
    signal?: AbortSignal,
  ): Promise<readonly BuildrootInfo[]> {
    const { hostId, taskId, ids, states } = filter;
    return this.#session.call('listBuildroots', [], z.array(BuildrootInfo), {
      signal,
      keywords: {
        ...(hostId !== undefined && { hostID: hostId }),
        ...(taskId !== undefined && { taskID: taskId }),
        ...(ids !== undefined && { buildrootID: ids }),
        ...(states !== undefined && { state: states.map((state) => buildrootStates[state]) }),
      },
    });
  }
}

function toStruct(rpm: BuildrootPackage): Record<string, string | number | null> {
  return Object.fromEntries(Object.entries(rpm).filter(([, value]) => value !== undefined));
}

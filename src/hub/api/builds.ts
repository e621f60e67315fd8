import { z } from 'zod';
import { isRetryFault } from '../faults.ts';
import type { HubSession } from '../session/session.ts';
import type { RpcValue } from '../xmlrpc/codec.ts';
import { doneBefore, waitForTaskLock } from './lost-answers.ts';
import { BuildInfo, buildStates, Ignored } from './schema.ts';

/** A build to be begun. */
export interface NewBuild {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly epoch: number | null;
  readonly taskId: number;
  readonly source: string | null;
  readonly extra: Readonly<Record<string, RpcValue>> | null;
  readonly draft?: boolean;
}

/** The files of a finished build, as paths below the hub's `work/`. */
export interface BuildFiles {
  readonly srpm: string;
  readonly rpms: readonly string[];
  /** Logs by arch; every file must be there. */
  readonly logs: ReadonlyMap<string, readonly string[]>;
}

/** Builds: from the first record to the tag. All calls are for a task that is OPEN on this host. */
export class BuildsApi {
  readonly #session: HubSession;

  constructor(session: HubSession) {
    this.#session = session;
  }

  /**
   * `host.initBuild`: the record of a build in state BUILDING; gives its id. HubFault 1000 when the NVR is
   * taken. For the same task the hub gives the same build again, so it is called again after a lost answer.
   */
  async initBuild(build: NewBuild, signal?: AbortSignal): Promise<number> {
    // In kojid's order: the hub shows it in the fault when the NVR is taken.
    const { name, version, release, epoch, taskId, source, extra, draft } = build;
    const data = { name, version, release, epoch, task_id: taskId, source, extra };
    const sent = draft === undefined ? data : { ...data, draft };
    return this.#session.call('host.initBuild', [sent], z.int(), {
      signal,
      retryError: (reason) => (isRetryFault(reason) ? this.initBuild(build, signal) : Promise.reject(reason)),
    });
  }

  /**
   * `host.completeBuild`: imports the files; `buildroots` maps each of them to the buildroot it was built in.
   * Not atomic on the hub's disk, so check everything first; it is never sent twice. After a lost answer:
   * wait for the hub to be through, then the build must be COMPLETE with this task, else it failed.
   */
  async completeBuild(
    taskId: number,
    buildId: number,
    files: BuildFiles,
    buildroots: ReadonlyMap<string, number>,
    signal?: AbortSignal,
  ): Promise<void> {
    const params = [taskId, buildId, files.srpm, files.rpms, Object.fromEntries(buildroots)];
    await this.#session.call('host.completeBuild', params, Ignored, {
      signal,
      keywords: { logs: Object.fromEntries(files.logs) },
      once: true,
      retryError: async (reason) => {
        await waitForTaskLock(this.#session, taskId, signal);
        const build = await this.getBuild(buildId, signal);
        if (build?.state !== buildStates.complete || build.taskId !== taskId) throw reason;
      },
    });
  }

  /** `host.failBuild`: HubFault 1000 unless the build is BUILDING. After a lost answer, FAILED counts as done. */
  async failBuild(taskId: number, buildId: number, signal?: AbortSignal): Promise<void> {
    await this.#session.call('host.failBuild', [taskId, buildId], Ignored, {
      signal,
      retryError: async (reason) => {
        const build = await this.getBuild(buildId, signal);
        if (build?.state !== buildStates.failed || build.taskId !== taskId) throw reason;
      },
    });
  }

  /**
   * `host.moveBuildToScratch`: moves the files of a scratch build to where people find them. Not atomic and
   * never sent twice, as `completeBuild`. The hub's database knows nothing of it, so after a lost answer
   * `arrived` is asked whether all files are below `scratch/<owner>/task_<id>/`.
   */
  async moveBuildToScratch(
    taskId: number,
    files: BuildFiles,
    arrived: () => Promise<boolean>,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#session.call('host.moveBuildToScratch', [taskId, files.srpm, files.rpms], Ignored, {
      signal,
      keywords: { logs: Object.fromEntries(files.logs) },
      once: true,
      retryError: async (reason) => {
        await waitForTaskLock(this.#session, taskId, signal);
        if (!(await arrived())) throw reason;
      },
    });
  }

  /** `getBuild`, by id or NVR; null when there is none. */
  async getBuild(build: number | string, signal?: AbortSignal): Promise<BuildInfo | null> {
    return this.#session.call('getBuild', [build], BuildInfo.nullable(), { signal });
  }

  /**
   * `host.tagBuild`, as the owner of the task. HubFault 1003 when the tag does not take the package or has
   * the build, 1004 when policy denies. After a lost answer, the build being in the tag counts as done.
   */
  async tagBuild(
    taskId: number,
    tag: number | string,
    build: number | string,
    options: { readonly force: boolean; readonly fromtag: number | string | null },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#session.call('host.tagBuild', [taskId, tag, build], Ignored, {
      signal,
      keywords: { force: options.force, fromtag: options.fromtag },
      retryError: async (reason) => {
        const tags = await this.#session.call('listTags', [build], z.array(TagName), { signal });
        if (!tags.some(({ id, name }) => id === tag || name === tag)) throw reason;
      },
    });
  }

  /** `host.tagNotification`: mail about a build that was, or was not, tagged. */
  async tagNotification(
    outcome: { readonly succeeded: boolean; readonly ignoreSuccess: boolean; readonly failureMsg?: string },
    tagId: number | string,
    fromTagId: number | string | null,
    buildId: number | string,
    userId: number | null,
    signal?: AbortSignal,
  ): Promise<void> {
    const params = [outcome.succeeded, tagId, fromTagId, buildId, userId, outcome.ignoreSuccess];
    const message = outcome.failureMsg === undefined ? [] : [outcome.failureMsg];
    await this.#session.call('host.tagNotification', [...params, ...message], Ignored, {
      signal,
      retryError: doneBefore,
    });
  }
}

const TagName = z.object({ id: z.int(), name: z.string() });

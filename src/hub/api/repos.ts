import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { HubFault } from '../faults.ts';
import type { HubSession } from '../session/session.ts';
import type { RpcValue } from '../xmlrpc/codec.ts';
import { RepoInfo, RepoRequest, TagRepo } from './repo-schema.ts';
import { Ignored, repoStates } from './schema.ts';
import { VersionApi } from './version.ts';

export type RepoState = keyof typeof repoStates;

/** Options of a repo, such as `debuginfo` and `src`; null for the tag's own. */
export type RepoOptions = Readonly<Record<string, RpcValue>> | null;

/** Files of a repo by arch, and where they were uploaded to. */
export type RepoFiles = ReadonlyMap<
  string,
  { readonly uploadPath: string; readonly files: readonly string[] }
>;

/** What `checkUpload` says of a file; null when it is not there. */
const Found = z.object({ size: z.int() }).nullable();

/** How long to wait for a repo to become READY after the answer of `repoDone` was lost, and how often to look. */
export const repoDoneDeadlineMs = 10 * 60_000;
const repoDonePollMs = 5_000;

/** A package of a tag, as `rpmlist.jsonl` has it. */
export const TaggedPackage = z.object({
  id: z.int(),
  name: z.string(),
  version: z.string(),
  release: z.string(),
  arch: z.string(),
  payloadhash: z.string(),
});
export type TaggedPackage = z.infer<typeof TaggedPackage>;

/** Packages and their builds. */
const TaggedPackages = z.tuple([z.array(TaggedPackage), z.array(z.unknown())]);

/** Repos: what there is, making one, asking for one. */
export class ReposApi {
  readonly #session: HubSession;
  readonly #clock: Clock;
  readonly #version: VersionApi;

  constructor(session: HubSession, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
    this.#version = new VersionApi(session);
  }

  /** `repoInfo`; null when there is no such repo, or HubFault 1000 with `strict`. */
  async repoInfo(
    id: number,
    { strict = false, signal }: { readonly strict?: boolean; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<RepoInfo | null> {
    const keywords = strict ? { strict } : {};
    return this.#session.call('repoInfo', [id], RepoInfo.nullable(), { signal, keywords });
  }

  /** `getRepo`: the newest repo of a tag, READY unless another state is asked for; null when there is none. */
  async getRepo(
    tag: number | string,
    options: {
      readonly state?: RepoState;
      readonly event?: number;
      readonly minEvent?: number;
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<TagRepo | null> {
    const { state, event, minEvent, signal } = options;
    return this.#session.call('getRepo', [tag], TagRepo.nullable(), {
      signal,
      keywords: {
        ...(state !== undefined && { state: repoStates[state] }),
        ...(event !== undefined && { event }),
        ...(minEvent !== undefined && { min_event: minEvent }),
      },
    });
  }

  /**
   * The draft packages that a repo may hold (`listTaggedRPMS` with `draft`). Of all other packages name, version,
   * release and arch say which is meant; hubs before 1.34 have no drafts.
   */
  async draftPackages(
    { tagId, createEvent }: Pick<RepoInfo, 'tagId' | 'createEvent'>,
    signal?: AbortSignal,
  ): Promise<readonly TaggedPackage[]> {
    if (!(await this.#version.hasDrafts(signal))) return [];
    const keywords = { event: createEvent, latest: true, draft: true };
    const [packages] = await this.#session.call('listTaggedRPMS', [tagId], TaggedPackages, {
      signal,
      keywords,
    });
    return packages;
  }

  /**
   * `host.repoInit`: a new repo in state INIT, whose directory with the package lists the hub makes. After
   * a lost answer, the tag's newest repo in INIT is taken if it belongs to the task, else it is made.
   */
  async repoInit(
    tag: number,
    options: { readonly taskId: number; readonly event?: number | null; readonly opts: RepoOptions },
    signal?: AbortSignal,
  ): Promise<{ readonly repoId: number; readonly eventId: number }> {
    const { taskId, event, opts } = options;
    const wanted = (await this.#version.hasRepoRequests(signal)) ? { opts } : toOldOptions(opts);
    const [repoId, eventId] = await this.#session.call('host.repoInit', [tag], z.tuple([z.int(), z.int()]), {
      signal,
      keywords: { ...wanted, task_id: taskId, ...(event !== null && event !== undefined && { event }) },
      once: true,
      retryError: async (reason): Promise<[number, number]> => {
        const repo = await this.getRepo(tag, { state: 'init', signal });
        if (repo?.taskId === taskId) return [repo.id, repo.createEvent];
        if (reason instanceof HubFault) throw reason;
        const made = await this.repoInit(tag, options, signal);
        return [made.repoId, made.eventId];
      },
    });
    return { repoId, eventId };
  }

  /**
   * `host.repoDone`: the hub moves the uploaded files into the repo and makes it READY. `data` maps an arch to
   * its upload directory and the files in it, which must all be there. Not atomic, so never repeated blindly: after
   * a lost answer it is sent again only while all files are where they were uploaded; else the repo is watched until
   * it is READY, for {@link repoDoneDeadlineMs} at most.
   */
  async repoDone(
    repoId: number,
    data: RepoFiles,
    options: { readonly repoJsonUpdates?: Readonly<Record<string, RpcValue>> } = {},
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#repoDone(
      repoId,
      data,
      options.repoJsonUpdates,
      this.#clock.uptime() + repoDoneDeadlineMs,
      signal,
    );
  }

  async #repoDone(
    repoId: number,
    data: RepoFiles,
    updates: Readonly<Record<string, RpcValue>> | undefined,
    deadline: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const byArch = Object.fromEntries(
      [...data].map(([arch, { uploadPath, files }]) => [arch, [uploadPath, files]]),
    );
    await this.#session.call('host.repoDone', [repoId, byArch], Ignored, {
      signal,
      keywords: updates === undefined ? {} : { repo_json_updates: updates },
      once: true,
      retryError: async (reason) => {
        for (;;) {
          const repo = await this.repoInfo(repoId, { strict: true, signal });
          if (repo?.state === repoStates.ready) return;
          if (repo?.state !== repoStates.init || this.#clock.uptime() >= deadline) throw reason;
          await this.#clock.sleep(repoDonePollMs, signal);
          // The hub carries out the calls of a session one after another: it is not at work on the lost one any more.
          if (await this.#isUntouched(data, signal))
            return await this.#repoDone(repoId, data, updates, deadline, signal);
        }
      },
    });
  }

  /** Whether every file is where it was uploaded; the hub moves them away one by one. */
  async #isUntouched(data: RepoFiles, signal?: AbortSignal): Promise<boolean> {
    for (const { uploadPath, files } of data.values())
      for (const name of files) {
        const there = await this.#session.call('checkUpload', [uploadPath, name], Found, { signal });
        if (there === null) return false;
      }
    return data.size > 0;
  }

  /**
   * `repo.request` (hub 1.35 or newer): asks for a repo as new as `minEvent`, or of exactly `atEvent`. Gives
   * the repo if it is there, else the request; asking again finds the same request.
   */
  async requestRepo(
    tag: number | string,
    options: {
      readonly minEvent?: number | 'last' | null;
      readonly atEvent?: number | null;
      readonly opts?: RepoOptions;
    } = {},
    signal?: AbortSignal,
  ): Promise<RepoRequest> {
    const { minEvent = null, atEvent = null, opts = null } = options;
    return this.#session.call('repo.request', [tag], RepoRequest, {
      signal,
      keywords: { min_event: minEvent, at_event: atEvent, opts },
      retryError: () => this.requestRepo(tag, options, signal),
    });
  }

  /** `repo.checkRequest` (hub 1.35 or newer): how a request fares. HubFault 1000 when there is none. */
  async checkRequest(id: number, signal?: AbortSignal): Promise<RepoRequest> {
    return this.#session.call('repo.checkRequest', [id], RepoRequest, { signal });
  }
}

/** What `host.repoInit` takes instead of `opts` before 1.35. */
function toOldOptions(opts: RepoOptions): Readonly<Record<string, RpcValue>> {
  const names = ['src', 'debuginfo', 'separate_src'].filter((name) => opts?.[name] === true);
  return Object.fromEntries(names.map((name) => [`with_${name}`, true]));
}

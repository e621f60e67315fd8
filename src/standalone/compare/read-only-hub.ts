import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { BuildsApi } from '../../hub/api/builds.ts';
import { ReposApi } from '../../hub/api/repos.ts';
import { AnyRpcValue } from '../../hub/api/schema.ts';
import { TagsApi } from '../../hub/api/tags.ts';
import type { HubSession } from '../../hub/session/session.ts';
import { splitKeywords } from '../../hub/xmlrpc/codec.ts';

/** All that a comparison asks a hub. Each of them only reads and needs no login. */
export const readOnlyMethods: ReadonlySet<string> = new Set([
  'getBuild',
  'getBuildConfig',
  'getExternalRepoList',
  'getKojiVersion',
  'getRepo',
  'getTaskChildren',
  'getTaskInfo',
  'getTaskResult',
  'listBuildroots',
  'listRPMs',
  'listTaggedRPMS',
  'repoInfo',
]);

/** A task with its times, in seconds since the epoch. */
const TaskRow = z
  .object({
    id: z.int(),
    method: z.string(),
    state: z.int(),
    arch: z.string(),
    parent: z.int().nullable(),
    start_ts: z.number().nullish(),
    completion_ts: z.number().nullish(),
    request: z.array(AnyRpcValue).nullish(),
  })
  .transform((row) => ({
    id: row.id,
    method: row.method,
    state: row.state,
    arch: row.arch,
    parent: row.parent,
    startTs: row.start_ts ?? null,
    completionTs: row.completion_ts ?? null,
    request: row.request ?? [],
  }));
export type TaskRow = z.infer<typeof TaskRow>;

const names = ['pkg', 'root', 'arch', 'keep_srpm', 'opts'] as const;

/** The parameters of a buildArch task that decide what is built; null when the task has others. */
const BuildArchRequest = z.object({
  pkg: z.string(),
  root: z.union([z.int(), z.string()]),
  arch: z.string(),
  opts: z.looseObject({ repo_id: z.int() }),
});
export type BuildArchRequest = z.infer<typeof BuildArchRequest>;

export function parseBuildArchRequest(request: TaskRow['request']): BuildArchRequest | null {
  const { params, keywords } = splitKeywords(request);
  const named = { ...Object.fromEntries(params.map((value, index) => [names[index], value])), ...keywords };
  return BuildArchRequest.safeParse(named).data ?? null;
}

/** What a buildArch task has ended with; paths below the hub's `work/`. */
const BuildArchResult = z.object({
  rpms: z.array(z.string()),
  srpms: z.array(z.string()),
  logs: z.array(z.string()),
  brootid: z.int(),
});
export type BuildArchResult = z.infer<typeof BuildArchResult>;

const Buildroot = z.object({ id: z.int(), arch: z.string(), host_name: z.string().nullish() });
export type Buildroot = z.infer<typeof Buildroot>;

/** A package of a recorded buildroot. */
const BuildrootRpm = z.object({
  name: z.string(),
  version: z.string(),
  release: z.string(),
  epoch: z.int().nullable(),
  arch: z.string(),
  payloadhash: z.string(),
  external_repo_id: z.int(),
  external_repo_name: z.string(),
  is_update: z.boolean(),
});
export type BuildrootRpm = z.infer<typeof BuildrootRpm>;

/** The questions of a comparison. Errors are those of {@link HubSession}. */
export class ReadOnlyHub {
  readonly tags: TagsApi;
  readonly repos: ReposApi;
  readonly builds: BuildsApi;
  readonly #session: HubSession;

  constructor(session: HubSession, clock: Clock) {
    this.#session = session;
    this.tags = new TagsApi(session);
    this.repos = new ReposApi(session, clock);
    this.builds = new BuildsApi(session);
  }

  /** `getTaskInfo` with the request; null when there is no such task. */
  async task(id: number, signal: AbortSignal): Promise<TaskRow | null> {
    return this.#session.call('getTaskInfo', [id], TaskRow.nullable(), {
      signal,
      keywords: { request: true },
    });
  }

  /** `getTaskChildren` with their requests. */
  async children(parent: number, signal: AbortSignal): Promise<readonly TaskRow[]> {
    return this.#session.call('getTaskChildren', [parent], z.array(TaskRow), {
      signal,
      keywords: { request: true },
    });
  }

  /** `getTaskResult` of a buildArch task that is closed. */
  async buildArchResult(id: number, signal: AbortSignal): Promise<BuildArchResult> {
    return this.#session.call('getTaskResult', [id], BuildArchResult, { signal });
  }

  /** `listBuildroots`, of one id; null when there is none. */
  async buildroot(id: number, signal: AbortSignal): Promise<Buildroot | null> {
    const found = await this.#session.call('listBuildroots', [], z.array(Buildroot), {
      signal,
      keywords: { buildrootID: id },
    });
    return found[0] ?? null;
  }

  /** `listRPMs`: what a buildroot consisted of, as its builder has told the hub. */
  async buildrootRpms(id: number, signal: AbortSignal): Promise<readonly BuildrootRpm[]> {
    return this.#session.call('listRPMs', [], z.array(BuildrootRpm), {
      signal,
      keywords: { componentBuildrootID: id },
    });
  }
}

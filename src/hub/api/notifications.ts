import { z } from 'zod';
import type { HubSession } from '../session/session.ts';
import type { RpcValue } from '../xmlrpc/codec.ts';
import { AnyRpcValue, TaskInfo } from './schema.ts';

const buildRow = z.object({
  id: z.int(),
  name: z.string(),
  package_name: z.string().nullish(),
  version: z.string(),
  release: z.string(),
  draft: z.boolean().nullish(),
});

function toBuild(row: z.infer<typeof buildRow>) {
  const { id, name, version, release } = row;
  const packageName = row.package_name || name;
  // Koji's label of a build, which has no epoch (`koji/__init__.py buildLabel`).
  const nvr = `${packageName}-${version}-${release}`;
  return { id, name, version, release, packageName, nvr, draft: row.draft === true };
}

/** What mails say of every build. */
export const NotifiedBuild = buildRow.transform(toBuild);
export type NotifiedBuild = z.infer<typeof NotifiedBuild>;

/** A build that has ended, as the hub puts it into the parameters of a task. Times in seconds since the epoch. */
export const EndedBuild = buildRow
  .extend({
    owner_name: z.string(),
    task_id: z.int(),
    state: z.int(),
    creation_ts: z.number().nullish(),
    completion_ts: z.number().nullish(),
    volume_name: z.string().nullish(),
  })
  .transform((row) => ({
    ...toBuild(row),
    ownerName: row.owner_name,
    taskId: row.task_id,
    state: row.state,
    createdTs: row.creation_ts ?? null,
    completedTs: row.completion_ts ?? null,
    volumeName: row.volume_name ?? null,
  }));
export type EndedBuild = z.infer<typeof EndedBuild>;

/** An entry of a source package's changelog; `date` is `YYYY-MM-DD HH:MM:SS`. */
export const ChangelogEntry = z.object({ date: z.string(), author: z.string(), text: z.string() });
export type ChangelogEntry = z.infer<typeof ChangelogEntry>;

const Named = z.object({ name: z.string() });

/** What notification mails are made from; everything here only reads. */
export class NotificationsApi {
  readonly #session: HubSession;

  constructor(session: HubSession) {
    this.#session = session;
  }

  /**
   * `getTaskInfo` and `getTaskDescendents`: a task and all below it with their parameters, each before its
   * children, children by id; empty when there is no such task.
   */
  async taskTree(id: number, signal?: AbortSignal): Promise<readonly TaskInfo[]> {
    const options = { signal, keywords: { request: true } };
    const root = await this.#session.call('getTaskInfo', [id], TaskInfo.nullable(), options);
    if (root === null) return [];
    const lists = z.record(z.string(), z.array(TaskInfo));
    const childrenOf = await this.#session.call('getTaskDescendents', [id], lists, options);
    const withDescendants = (task: TaskInfo): readonly TaskInfo[] => {
      const children = (childrenOf[task.id] ?? []).toSorted((a, b) => a.id - b.id);
      return [task, ...children.flatMap(withDescendants)];
    };
    return withDescendants(root);
  }

  /** `listTaskOutput`: names of the task's files, each with the volumes it lies on. */
  async taskOutput(id: number, signal?: AbortSignal): Promise<ReadonlyMap<string, readonly string[]>> {
    const files = z.record(z.string(), z.array(z.string()));
    const keywords = { all_volumes: true };
    return new Map(
      Object.entries(await this.#session.call('listTaskOutput', [id], files, { signal, keywords })),
    );
  }

  /** `getTaskResult`: HubFault with the task's own fault when it failed. */
  async taskResult(id: number, signal?: AbortSignal): Promise<RpcValue> {
    return this.#session.call('getTaskResult', [id], AnyRpcValue, { signal });
  }

  /** `getHost`: its name. */
  async hostName(id: number, signal?: AbortSignal): Promise<string | null> {
    return (await this.#session.call('getHost', [id], Named.nullable(), { signal }))?.name ?? null;
  }

  /** `getUser`: the name; null when there is no such user. Of `null` the hub tells the user of the session. */
  async userName(user: RpcValue, signal?: AbortSignal): Promise<string | null> {
    return (await this.#session.call('getUser', [user], Named.nullable(), { signal }))?.name ?? null;
  }

  /** `getTag`: the name; null when there is no such tag. */
  async tagName(tag: RpcValue, signal?: AbortSignal): Promise<string | null> {
    return (await this.#session.call('getTag', [tag], Named.nullable(), { signal }))?.name ?? null;
  }

  /** `getBuild`; null when there is no such build. */
  async build(build: RpcValue, signal?: AbortSignal): Promise<NotifiedBuild | null> {
    return this.#session.call('getBuild', [build], NotifiedBuild.nullable(), { signal });
  }

  /** `getChangelogEntries` of a build's source package, the newest first; none when the build has no package. */
  async changelog(buildId: number, limit: number, signal?: AbortSignal): Promise<readonly ChangelogEntry[]> {
    const keywords = { queryOpts: { limit } };
    return this.#session.call('getChangelogEntries', [buildId], z.array(ChangelogEntry), {
      signal,
      keywords,
    });
  }
}

import { z } from 'zod';
import type { RpcValue } from '../xmlrpc/codec.ts';
import { Settings } from './schema.ts';

const repoRow = z.looseObject({
  id: z.int(),
  state: z.int(),
  create_event: z.int(),
  creation_ts: z.number().nullish(),
  create_ts: z.number().nullish(),
  dist: z.boolean().nullish(),
  task_id: z.int().nullish(),
  opts: Settings,
});

function toRepo(row: z.infer<typeof repoRow>) {
  return {
    id: row.id,
    state: row.state,
    createEvent: row.create_event,
    creationTs: row.creation_ts ?? row.create_ts ?? null,
    dist: row.dist === true,
    taskId: row.task_id ?? null,
    opts: row.opts,
    // What passed this schema came from the codec, so all members are values of it.
    row: row as unknown as Readonly<Record<string, RpcValue>>,
  };
}

/**
 * A repo of a tag that is known, as `getRepo` tells it (hubs before 1.35 do not repeat the tag). `row` is the
 * hub's whole row, which some tasks pass on as a parameter or a result.
 */
export const TagRepo = repoRow.transform(toRepo);
export type TagRepo = z.infer<typeof TagRepo>;

/** A {@link TagRepo} and whose it is. */
export const RepoInfo = repoRow
  .extend({ tag_id: z.int(), tag_name: z.string() })
  .transform((row) => ({ ...toRepo(row), tagId: row.tag_id, tagName: row.tag_name }));
export type RepoInfo = z.infer<typeof RepoInfo>;

/** What the hub knows of a request for a repo; `repo` is there once it is ready. */
export const RepoRequest = z
  .object({
    repo: RepoInfo.nullable(),
    request: z
      .object({
        id: z.int(),
        active: z.boolean().nullish(),
        task_id: z.int().nullish(),
        min_event: z.int().nullish(),
        tries: z.int().nullish(),
      })
      .nullish(),
  })
  .transform(({ repo, request }) => ({
    repo,
    request:
      request === null || request === undefined
        ? null
        : {
            id: request.id,
            active: request.active === true,
            taskId: request.task_id ?? null,
            minEvent: request.min_event ?? null,
            tries: request.tries ?? null,
          },
  }));
export type RepoRequest = z.infer<typeof RepoRequest>;

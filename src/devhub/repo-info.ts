import { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { double, timeText } from './call.ts';
import type { Hub } from './hub.ts';
import type { RepoRow } from './rows.ts';
import { firstChange, lastChange } from './tag-content.ts';

/** Options of a repository; what the caller does not know is ignored, as the hub does with a warning. */
const knownOptions = ['src', 'debuginfo', 'separate_src', 'maven'] as const;
export type RepoOptions = Readonly<Record<string, boolean>>;

/** Accepts a struct of options and keeps the known ones that say anything. */
export const RepoOptionsArgument = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((given): RepoOptions => {
    const entries = knownOptions.flatMap((name) => {
      const value = given?.[name];
      return value === undefined || value === null ? [] : [[name, Boolean(value)] as const];
    });
    return Object.fromEntries(entries);
  });

/** The options of a repository for which nothing was asked. */
export const defaultRepoOptions: RepoOptions = {
  src: false,
  debuginfo: false,
  separate_src: false,
  maven: false,
};

/** A repository as repoInfo, getRepo and repo.request show it. */
export function toRepoInfo(hub: Hub, repo: RepoRow): RpcValue {
  const { tags, events, tasks } = hub.state.tables;
  const tag = tags.mustGet(repo.tag_id);
  const created = events.mustGet(repo.create_event);
  const begin = events.get(lastChange(hub, tag, repo.create_event + 1)) ?? created;
  const end = events.get(firstChange(hub, tag, repo.create_event));
  return {
    id: repo.id,
    tag_id: tag.id,
    tag_name: tag.name,
    state: repo.state,
    dist: false,
    create_event: repo.create_event,
    create_ts: double(created.time),
    begin_event: begin.id,
    begin_ts: double(begin.time),
    end_event: end?.id ?? null,
    end_ts: double(end?.time ?? null),
    creation_time: timeText(repo.creation_time),
    creation_ts: double(repo.creation_time),
    state_time: timeText(repo.state_time),
    state_ts: double(repo.state_time),
    opts: repo.opts,
    custom_opts: repo.custom_opts,
    task_id: repo.task_id,
    task_state: tasks.get(repo.task_id)?.state ?? null,
  };
}

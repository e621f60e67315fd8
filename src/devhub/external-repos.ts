import { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { type MethodTable, method, NameOrId } from './call.ts';
import { type Hub, newEvent } from './hub.ts';
import type { RowOf, TagRow } from './rows.ts';
import { lineageOf } from './tag-content.ts';
import { mustFindTag } from './tags.ts';

/** How an external repository serves a tag. */
export interface TagExternalRepo {
  readonly name: string;
  /** May hold `$arch`; ends with a slash. */
  readonly url: string;
  /** Within the tag, the lowest first. */
  readonly priority: number;
  readonly mergeMode: 'koji' | 'simple' | 'bare';
  /** Arches of the tag it is for, separated by spaces; null for all. */
  readonly arches: string | null;
}

/** Makes an external repository, or gives an existing one this URL. */
export function ensureExternalRepo(hub: Hub, name: string, url: string): RowOf<'externalRepos'> {
  const { externalRepos } = hub.state.tables;
  const existing = externalRepos.find((row) => row.name === name);
  return existing === undefined
    ? externalRepos.insert({ name, url })
    : externalRepos.update(existing.id, { url });
}

/** Adds an external repository to a tag, or changes how it serves the tag; the repository is made when it is new. */
export function attachExternalRepo(hub: Hub, tag: TagRow, wanted: TagExternalRepo): void {
  const { tagExternalRepos } = hub.state.tables;
  const { id } = ensureExternalRepo(hub, wanted.name, wanted.url);
  const columns = { priority: wanted.priority, merge_mode: wanted.mergeMode, arches: wanted.arches };
  const existing = tagExternalRepos.find((row) => row.tag_id === tag.id && row.external_repo_id === id);
  if (existing !== undefined) tagExternalRepos.update(existing.id, columns);
  else
    tagExternalRepos.insert({
      ...columns,
      tag_id: tag.id,
      external_repo_id: id,
      create_event: newEvent(hub),
    });
}

/** The external repositories of a tag and of those it inherits from, each once, at an event (`get_external_repo_list`). */
function externalReposOf(hub: Hub, tag: TagRow, event: number): RpcValue[] {
  const { tagExternalRepos, externalRepos } = hub.state.tables;
  const found = new Map<number, RpcValue>();
  for (const source of lineageOf(hub, tag)) {
    const own = tagExternalRepos
      .filter((row) => row.tag_id === source.id && row.create_event <= event)
      .sort((a, b) => a.priority - b.priority);
    for (const { external_repo_id, priority, merge_mode, arches } of own) {
      if (found.has(external_repo_id)) continue;
      const { name, url } = externalRepos.mustGet(external_repo_id);
      found.set(external_repo_id, {
        external_repo_id,
        external_repo_name: name,
        url,
        priority,
        merge_mode,
        arches,
        tag_id: source.id,
        tag_name: source.name,
      });
    }
  }
  return [...found.values()];
}

export const externalRepoMethods: MethodTable = {
  getExternalRepoList: method({ tag_info: NameOrId, event: z.int().nullish() }, (call, { tag_info, event }) =>
    externalReposOf(call.hub, mustFindTag(call.hub, tag_info, event), event ?? Number.POSITIVE_INFINITY),
  ),
};

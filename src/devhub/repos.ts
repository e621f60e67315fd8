import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { canonArch } from '../rpm/arch.ts';
import { type Call, type MethodTable, method, NameOrId } from './call.ts';
import { generic, required } from './faults.ts';
import type { Hub } from './hub.ts';
import { moveFile } from './paths.ts';
import { writeRepoFiles } from './repo-files.ts';
import { defaultRepoOptions, type RepoOptions, RepoOptionsArgument, toRepoInfo } from './repo-info.ts';
import { satisfyRequests } from './repo-requests.ts';
import { type RepoRow, repoState } from './rows.ts';
import { assertHost } from './sessions.ts';
import { mustFindTag } from './tags.ts';

function initRepo(
  call: Call,
  wanted: { tag: string | number; taskId: number | null; event: number | null; opts: RepoOptions },
): RpcValue {
  const tag = mustFindTag(call.hub, wanted.tag, wanted.event);
  const { repos, events } = call.hub.state.tables;
  if (wanted.event !== null) required(events.get(wanted.event), 'query returned no rows');
  const create_event = wanted.event ?? call.event();
  const custom = Object.entries(wanted.opts).filter(([name, value]) => defaultRepoOptions[name] !== value);
  const repo = repos.insert({
    tag_id: tag.id,
    create_event,
    state: repoState.INIT,
    creation_time: call.now,
    state_time: call.now,
    task_id: wanted.taskId,
    opts: { ...defaultRepoOptions, ...wanted.opts },
    custom_opts: Object.fromEntries(custom),
  });
  writeRepoFiles(call.hub, tag, repo);
  return [repo.id, create_event];
}

/** Files of one arch that a createrepo task has uploaded. */
const RepoData = z.record(z.string(), z.tuple([z.string(), z.array(z.string())]));

/** Moves uploaded metadata into a repository and makes it READY. Not atomic on disk, as in the hub. */
function finishRepo(call: Call, repo: RepoRow, data: z.output<typeof RepoData>): void {
  if (repo.state !== repoState.INIT) throw generic(`Repo ${repo.id} not in INIT state (got ${repo.state})`);
  const directory = repoDirectory(call.hub, repo);
  for (const [arch, [uploadPath, names]] of Object.entries(data)) {
    const archDirectory = join(directory, canonArch(arch));
    if (!isDirectory(archDirectory)) throw generic(`Repo arch directory missing: ${archDirectory}`);
    for (const name of names) {
      const source = call.hub.paths.workFile(`${uploadPath}/${name}`);
      if (!existsSync(source)) throw generic(`uploaded file missing: ${source}`);
      moveFile(
        source,
        name.endsWith('pkglist') ? join(archDirectory, name) : join(archDirectory, 'repodata', name),
      );
    }
    mkdirSync(join(archDirectory, 'repodata'), { recursive: true });
  }
  const ready = call.hub.state.tables.repos.update(repo.id, { state: repoState.READY, state_time: call.now });
  satisfyRequests(call, ready);
  linkLatest(call.hub, ready);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function repoDirectory(hub: Hub, repo: RepoRow): string {
  return hub.paths.repo(repo.id, hub.state.tables.tags.mustGet(repo.tag_id).name);
}

/** Points `repos/<tag>/latest` at a repository with default options, unless a newer one is ready. */
function linkLatest(hub: Hub, repo: RepoRow): void {
  const isPlain = (row: RepoRow) => Object.keys(row.custom_opts).length === 0;
  const isNewer = (row: RepoRow) => row.state === repoState.READY && row.create_event > repo.create_event;
  const newer = hub.state.tables.repos.find(
    (row) => row.tag_id === repo.tag_id && isPlain(row) && isNewer(row),
  );
  if (!isPlain(repo) || newer !== undefined) return;
  const link = hub.paths.repo('latest', hub.state.tables.tags.mustGet(repo.tag_id).name);
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) unlinkSync(link);
  symlinkSync(String(repo.id), link);
}

function updateRepoJson(hub: Hub, repo: RepoRow, updates: Readonly<Record<string, unknown>>): void {
  const path = join(repoDirectory(hub, repo), 'repo.json');
  const current: unknown = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify(Object.assign({}, current, updates), undefined, 2));
}

/** Repositories: made by newRepo tasks, used by every build. */
export const repoMethods: MethodTable = {
  'host.repoInit': method(
    { tag: NameOrId, task_id: z.int().nullish(), event: z.int().nullish(), opts: RepoOptionsArgument },
    (call, { tag, task_id, event, opts }) => {
      assertHost(call);
      return initRepo(call, { tag, taskId: task_id ?? null, event: event ?? null, opts });
    },
  ),
  'host.repoDone': method(
    {
      repo_id: z.int(),
      data: RepoData,
      expire: z.literal(false).default(false),
      repo_json_updates: z.record(z.string(), z.unknown()).nullish(),
    },
    (call, { repo_id, data, repo_json_updates }) => {
      assertHost(call);
      const repo = required(call.hub.state.tables.repos.get(repo_id), 'query returned no rows');
      if (repo_json_updates !== undefined && repo_json_updates !== null && repo.state === repoState.INIT)
        updateRepoJson(call.hub, repo, repo_json_updates);
      finishRepo(call, repo, data);
      return null;
    },
  ),
  repoInfo: method(
    { repo_id: z.int().nullable(), strict: z.boolean().default(false) },
    (call, { repo_id, strict }) => {
      const repo = call.hub.state.tables.repos.get(repo_id);
      if (repo !== undefined) return toRepoInfo(call.hub, repo);
      if (strict) throw generic('query returned no rows');
      return null;
    },
  ),
  getRepo: method(
    {
      tag: NameOrId,
      state: z.int().nullish(),
      event: z.int().nullish(),
      dist: z.boolean().default(false),
      min_event: z.int().nullish(),
    },
    (call, { tag, state, event, dist, min_event }) => {
      const { id } = mustFindTag(call.hub, tag);
      const [repo] = call.hub.state.tables.repos
        .filter((row) => row.tag_id === id && !dist)
        .filter((row) =>
          typeof event === 'number' ? row.create_event <= event : row.state === (state ?? repoState.READY),
        )
        .filter((row) => row.create_event >= (min_event ?? 0))
        .sort((a, b) => b.creation_time - a.creation_time || b.id - a.id);
      return repo === undefined ? null : toRepoInfo(call.hub, repo);
    },
  ),
};

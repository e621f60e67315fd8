import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { below } from '../../core/below.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import { isPythonTrue } from '../../core/python-truth.ts';
import type { RepoOptions } from '../../hub/api/repos.ts';
import type { TagInfo } from '../../hub/api/schema.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { defineTask, type TaskContext } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import { flag, optional } from '../params.ts';
import { requireReposDirectory } from '../repos-directory.ts';
import { childResult } from '../subtasks.ts';

const Settings = z.record(
  z.string(),
  z.custom<RpcValue>(() => true),
);
const NewRepoParams = z.object({
  tag: z.union([z.int(), z.string(), z.looseObject({ id: z.int() }).transform((tag) => tag.id)]),
  event: optional(z.int()),
  src: optional(flag),
  debuginfo: optional(flag),
  separate_src: optional(flag),
  opts: optional(Settings),
});

const CreaterepoResult = z.tuple([z.string(), z.array(z.string())]);

/**
 * Makes a repo of a tag: the hub writes the package lists, one createrepo child for each arch makes the
 * metadata, the hub puts it in place (`builder/kojid NewRepoTask`).
 */
export const newRepo = defineTask({
  methods: ['newRepo'],
  weight: 0.1,
  signature: { names: ['tag', 'event', 'src', 'debuginfo', 'separate_src', 'opts'], schema: NewRepoParams },

  purpose: ({ tag }) => ({ buildTag: [{ tag }] }),

  async run(params, context) {
    const { hub, task, signal, subtasks, settings, repoNews } = context;
    const event = params.event;
    const tag = await hub.tags.tag(params.tag, { strict: true, event, signal });
    if (tag === null) throw new TaskFault(faultCodes.generic, 'request', `No such tag: ${params.tag}`);
    await requireReposDirectory(settings.topDir);
    const opts = await repoOptions(params, tag, context);
    const { repoId, eventId } = await hub.repos.repoInit(tag.id, { taskId: task.id, event, opts }, signal);

    const directory = below(settings.topDir, 'repos', tag.name, String(repoId));
    const old = settings.updateRepos ? await findOldRepo(context, tag) : null;
    const children = new Map<string, number>();
    for (const arch of await archesOf(directory)) {
      const id = await subtasks.start({
        method: 'createrepo',
        args: [repoId, arch, old],
        label: arch,
        arch: 'noarch',
      });
      children.set(arch, id);
    }
    const made = new Map<string, { readonly uploadPath: string; readonly files: readonly string[] }>();
    if (children.size > 0) {
      const results = await subtasks.wait([...children.values()], { all: true, failAny: true });
      for (const [arch, id] of children) {
        const [uploadPath, files] = childResult(CreaterepoResult, results, id);
        made.set(arch, { uploadPath, files });
      }
    }
    await hub.repos.repoDone(repoId, made, {}, signal);
    repoNews.made();
    return [repoId, eventId];
  },
});

async function repoOptions(
  { src, debuginfo, separate_src: separateSrc, opts }: z.infer<typeof NewRepoParams>,
  tag: TagInfo,
  { hub, signal }: TaskContext,
): Promise<RepoOptions> {
  const old = {
    ...(src === null ? {} : { src }),
    ...(debuginfo === null ? {} : { debuginfo }),
    ...(separateSrc === null ? {} : { separate_src: separateSrc }),
  };
  // Newer hubs look at the tag themselves.
  if (isPythonTrue(tag.extra['with_debuginfo']) && !(await hub.version.hasRepoRequests(signal)))
    return { ...old, debuginfo: true };
  if (Object.keys(old).length === 0) return opts;
  if (opts !== null) {
    throw new TaskFault(
      faultCodes.parameter,
      'request',
      'opts parameter cannot be combined with legacy options',
    );
  }
  return old;
}

/** Arches the hub has made package lists for. */
async function archesOf(directory: string): Promise<readonly string[]> {
  let names: readonly string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    throw new TaskFault(faultCodes.generic, 'external', `Repo directory missing: ${directory}`, {
      cause: error,
    });
  }
  const arches: string[] = [];
  for (const name of names) {
    if (name === 'groups') continue;
    const list = await stat(join(directory, name, 'pkglist')).catch(() => null);
    if (list?.isFile()) arches.push(name);
  }
  return arches.sort();
}

/** A repo whose metadata can be taken over: the tag's own last one, a hinted tag's, else the nearest parent's. */
async function findOldRepo({ hub, signal, log }: TaskContext, tag: TagInfo): Promise<RpcValue> {
  const own = await hub.repos.getRepo(tag.id, { signal });
  if (own !== null) return { ...own.row, tag_id: tag.id };
  const hint = tag.extra['repo.oldrepo_hint'] ?? [];
  for (const name of Array.isArray(hint) ? hint : [hint]) {
    const hinted =
      typeof name === 'string' || typeof name === 'number' ? await hub.tags.tag(name, { signal }) : null;
    if (hinted === null) {
      log.warn({ hint: name }, 'repo.oldrepo_hint names no tag');
      continue;
    }
    const repo = await hub.repos.getRepo(hinted.id, { signal });
    if (repo !== null) return { ...repo.row, tag_id: hinted.id };
  }
  const parents = await hub.tags.fullInheritance(tag.id, { signal });
  for (const { parentId } of parents.toSorted((a, b) => a.depth - b.depth)) {
    const repo = await hub.repos.getRepo(parentId, { signal });
    if (repo !== null) return { ...repo.row, tag_id: parentId };
  }
  return null;
}

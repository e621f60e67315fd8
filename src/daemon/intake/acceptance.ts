import type { AcceptRules } from '../../config/options/accept-rules.ts';
import type { HostApi } from '../../hub/api/host.ts';
import type { ReposApi } from '../../hub/api/repos.ts';
import type { TaskInfo } from '../../hub/api/schema.ts';
import type { TagsApi } from '../../hub/api/tags.ts';
import type { BuildTagSource, TaskAdapter } from '../../tasks/adapter.ts';
import { TaskFault } from '../../tasks/errors.ts';
import { decodeParams } from '../../tasks/params.ts';
import {
  neededPurpose,
  type PurposeNeeds,
  type TaskPurpose,
  whyMethodRefused,
  whyPurposeRefused,
} from './accept.ts';
import type { OfferedTask } from './legacy-scheduler.ts';

/** Whom to ask about a task. */
export interface PurposeSources {
  readonly registry: ReadonlyMap<string, TaskAdapter>;
  readonly host: HostApi;
  readonly tags: TagsApi;
  readonly repos: ReposApi;
}

/**
 * Why the operator's rules refuse a task, or null. The hub is asked for no more than the rules need: nothing
 * for methods, the task for the others, its parent where the task does not tell, one call for the tag's name.
 */
export async function whyNotAccepted(
  task: OfferedTask,
  rules: AcceptRules,
  sources: PurposeSources,
  signal: AbortSignal,
): Promise<string | null> {
  if (sources.registry.get(task.method)?.aboutThisHost) return null;
  const refused = whyMethodRefused(rules, task.method);
  const needs = neededPurpose(rules);
  if (refused !== null || !(needs.buildTag || needs.scratch)) return refused;
  return whyPurposeRefused(rules, await findPurpose(task.id, needs, sources, signal));
}

async function findPurpose(
  taskId: number,
  needs: PurposeNeeds,
  sources: PurposeSources,
  signal: AbortSignal,
): Promise<TaskPurpose> {
  let buildTag: readonly BuildTagSource[] | null = null;
  let scratch: boolean | null = null;
  let next: number | null = taskId;
  while (next !== null && ((needs.buildTag && buildTag === null) || (needs.scratch && scratch === null))) {
    const task: TaskInfo | null = await sources.host.taskInfo(next, { request: true, signal });
    if (task === null) break;
    const told = purposeOf(task, sources.registry);
    buildTag ??= told.buildTag ?? null;
    scratch ??= told.scratch ?? null;
    next = task.parentId;
  }
  return {
    buildTag: needs.buildTag ? await firstName(buildTag ?? [], sources, signal) : null,
    scratch: scratch === true,
  };
}

/** What a task's own parameters tell; nothing when they cannot be read or nobody here knows the method. */
function purposeOf({ method, request }: TaskInfo, registry: PurposeSources['registry']) {
  const adapter = registry.get(method);
  if (adapter?.purpose === undefined) return {};
  try {
    return adapter.purpose(decodeParams(method, adapter.signature, request ?? []));
  } catch (error) {
    if (error instanceof TaskFault) return {};
    throw error;
  }
}

async function firstName(
  candidates: readonly BuildTagSource[],
  sources: PurposeSources,
  signal: AbortSignal,
): Promise<string | null> {
  for (const candidate of candidates) {
    const name = await nameOf(candidate, sources, signal);
    if (name !== null) return name;
  }
  return null;
}

async function nameOf(
  source: BuildTagSource,
  { tags, repos }: PurposeSources,
  signal: AbortSignal,
): Promise<string | null> {
  if ('tag' in source) {
    // A name that is no tag's matches or not; the task itself says that there is no such tag.
    if (typeof source.tag === 'string') return source.tag;
    return (await tags.tag(source.tag, { signal }))?.name ?? null;
  }
  if ('target' in source) return (await tags.buildTarget(source.target, { signal }))?.buildTagName ?? null;
  return (await repos.repoInfo(source.repoId, { signal }))?.tagName ?? null;
}

import { type AcceptRules, formatAcceptRules, isAmong } from '../../config/options/accept-rules.ts';
import type { HostApi } from '../../hub/api/host.ts';
import type { ReposApi } from '../../hub/api/repos.ts';
import type { TaskInfo } from '../../hub/api/schema.ts';
import type { TagsApi } from '../../hub/api/tags.ts';
import type { BuildTagSource, OwnPurpose, TaskAdapter } from '../../tasks/adapter.ts';
import { type DecodedParams, decodeRequest } from '../../tasks/params.ts';
import type { Offer } from './offer.ts';

/** What a task works for. */
export interface TaskPurpose {
  /** The build tag; null when the task has none, or one the hub does not know. */
  readonly buildTag: string | null;
  /** Whether it belongs to a scratch build. */
  readonly scratch: boolean;
}

/** What has to be asked before the rules can be applied. */
interface PurposeNeeds {
  readonly buildTag: boolean;
  readonly scratch: boolean;
}

/** What the rules want to know of a task besides its method. */
export function neededPurpose(rules: AcceptRules): PurposeNeeds {
  return { buildTag: rules.tags !== null, scratch: rules.scratch !== null };
}

/** Why a task of this method is refused whatever it works for, or null. */
export function whyMethodRefused(rules: AcceptRules, method: string): string | null {
  const { methods } = rules;
  return methods === null || isAmong(method, methods) ? null : because(rules, `it is a ${method} task`);
}

/** Why a task that works for this is refused, or null. Only what `neededPurpose` names is looked at. */
export function whyPurposeRefused(rules: AcceptRules, { buildTag, scratch }: TaskPurpose): string | null {
  const { tags } = rules;
  if (tags !== null && buildTag === null) return because(rules, 'it has no build tag');
  if (tags !== null && buildTag !== null && !isAmong(buildTag, tags))
    return because(rules, `its build tag is ${buildTag}`);
  if (rules.scratch === 'only' && !scratch) return because(rules, 'it belongs to no scratch build');
  if (rules.scratch === 'no' && scratch) return because(rules, 'it belongs to a scratch build');
  return null;
}

function because(rules: AcceptRules, what: string): string {
  return `${what}; this host is limited to ${formatAcceptRules(rules)} (accept in adjutant.conf)`;
}

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
  offer: Offer,
  rules: AcceptRules,
  sources: PurposeSources,
  signal: AbortSignal,
): Promise<string | null> {
  if (offer.adapter?.alwaysAccepted) return null;
  const refused = whyMethodRefused(rules, offer.method);
  const needs = neededPurpose(rules);
  if (refused !== null || !(needs.buildTag || needs.scratch)) return refused;
  return whyPurposeRefused(rules, await findPurpose(offer, needs, sources, signal));
}

async function findPurpose(
  offer: Offer,
  needs: PurposeNeeds,
  sources: PurposeSources,
  signal: AbortSignal,
): Promise<TaskPurpose> {
  let buildTag: readonly BuildTagSource[] | null = null;
  let scratch: boolean | null = null;
  const isEnough = () => !(needs.buildTag && buildTag === null) && !(needs.scratch && scratch === null);
  let task = await offer.info(signal);
  let own = toldBy(offer.adapter, await offer.params(signal));
  while (task !== null) {
    buildTag ??= own.buildTag ?? null;
    scratch ??= own.scratch ?? null;
    if (task.parentId === null || isEnough()) break;
    task = await sources.host.taskInfo(task.parentId, { request: true, signal });
    own = task === null ? {} : purposeOf(task, sources.registry);
  }
  return {
    buildTag: needs.buildTag ? await firstName(buildTag ?? [], sources, signal) : null,
    scratch: scratch === true,
  };
}

/** What a task's own parameters tell; nothing when the method is unknown here. */
function purposeOf({ method, request }: TaskInfo, registry: PurposeSources['registry']): OwnPurpose {
  const adapter = registry.get(method) ?? null;
  return toldBy(adapter, adapter && decodeRequest(method, adapter.signature, request ?? []));
}

/** Nothing when the parameters cannot be read. */
function toldBy(adapter: TaskAdapter | null, params: DecodedParams | null): OwnPurpose {
  if (adapter?.purpose === undefined || params === null || 'error' in params) return {};
  return adapter.purpose(params.value);
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

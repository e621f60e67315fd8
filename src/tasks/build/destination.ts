import { faultCodes } from '../../core/koji-faults.ts';
import type { RepoInfo } from '../../hub/api/repo-schema.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import type { TaskContext } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import { type BuildOptions, buildError } from './params.ts';

/** Where a build takes its buildroot from and where it goes. */
export interface Destination {
  readonly buildTagId: number;
  readonly destTagId: number;
  readonly destTagName: string;
  readonly targetName: string | null;
  readonly skipTag: boolean;
}

/** Looks the target up; with a repo given, `target` may be a mere tag, or nothing for a build without a tag. */
export async function findDestination(
  { hub, signal }: TaskContext,
  target: string | null,
  options: BuildOptions,
  repo: RepoInfo | null,
): Promise<Destination> {
  const event = repo?.createEvent ?? null;
  const skipTag = options.skip_tag ?? false;
  const info = target ? await hub.tags.buildTarget(target, { event, signal }) : null;
  if (info !== null) {
    if (repo !== null && repo.tagId !== info.buildTagId) {
      throw buildError(`Repo/Target mismatch: ${repo.tagName}/${info.buildTagName}`);
    }
    return { ...info, targetName: info.name, skipTag };
  }
  if (repo === null)
    throw new TaskFault(faultCodes.generic, 'request', `unknown build target: ${target ?? 'None'}`);
  const fromRepo = { buildTagId: repo.tagId, targetName: null };
  if (target === null)
    return { ...fromRepo, destTagId: repo.tagId, destTagName: repo.tagName, skipTag: true };
  const tag = await hub.tags.tag(target, { event, signal });
  if (tag === null) throw new TaskFault(faultCodes.generic, 'request', `neither tag nor target: ${target}`);
  return { ...fromRepo, destTagId: tag.id, destTagName: tag.name, skipTag };
}

/** Has the hub's policies decide whether this may be built. HubFault 1004 when one denies. */
export async function assertPolicies(
  { hub, signal, task }: TaskContext,
  src: string,
  options: BuildOptions,
  to: Destination,
): Promise<void> {
  const info = await hub.host.taskInfo(task.id, { signal });
  const data: Record<string, RpcValue> = {
    user_id: info?.ownerId ?? null,
    source: src,
    task_id: task.id,
    build_tag: to.buildTagId,
    skip_tag: to.skipTag,
    scratch: options.scratch,
    draft: options.draft,
    from_scm: false,
    repo_id: options.repo_id,
    ...(to.targetName === null ? {} : { target: to.targetName }),
    ...(to.skipTag ? {} : { tag: to.destTagId }),
  };
  if (!options.scratch) await hub.tags.assertPolicy('build_from_srpm', data, signal);
  if (options.repo_id !== null) await hub.tags.assertPolicy('build_from_repo_id', data, signal);
  await hub.tags.assertPolicy('build_rpm', data, signal);
}

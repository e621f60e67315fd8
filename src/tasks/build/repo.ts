import { RepoInfo, repoStateName, repoStates } from '../../hub/schema.ts';
import type { TaskContext } from '../adapter.ts';
import { childResult } from '../child-result.ts';
import { hasBuilds } from '../tagged-builds.ts';
import { type BuildOptions, buildError } from './params.ts';

/** The repo that the request names; it must be whole, if not current. */
export async function requestedRepo({ hub, signal }: TaskContext, repoId: number): Promise<RepoInfo> {
  const repo = await hub.repos.repoInfo(repoId, { signal });
  if (repo === null) throw buildError(`No such repo: ${repoId}`);
  if (repo.state !== repoStates.ready && repo.state !== repoStates.expired) {
    throw buildError(`Bad repo: ${repo.id} (${repoStateName(repo.state)})`);
  }
  return repo;
}

/** A repo of the build tag that is there, or one that a waitrepo child waits for (`koji/tasks.py getRepo`). */
export async function findRepo(
  context: TaskContext,
  buildTagId: number,
  options: BuildOptions,
): Promise<RepoInfo> {
  const { hub, signal, subtasks } = context;
  const builds = options.wait_builds ?? [];
  let minEvent = options.wait_repo ? await hub.tagHistory.lastChangeEvent(buildTagId, signal) : null;
  if (await hasBuilds(context, buildTagId, builds, null)) {
    const { repo, request } = await hub.repos.requestRepo(buildTagId, { minEvent }, signal);
    const fresh = repo !== null && (minEvent === null || repo.createEvent >= minEvent);
    if (fresh && (await hasBuilds(context, buildTagId, builds, repo.createEvent))) return repo;
    minEvent ??= request?.minEvent ?? null;
  }
  const { name } = await hub.tags.buildConfig(buildTagId, { signal });
  const waiting = await subtasks.start({ method: 'waitrepo', args: [name, null, builds, minEvent] });
  return childResult(RepoInfo, await subtasks.wait([waiting]), waiting);
}

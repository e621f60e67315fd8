import { z } from 'zod';
import { RepoInfo, TagRepo } from '../../hub/api/repo-schema.ts';
import { repoStateName, repoStates } from '../../hub/api/schema.ts';
import { RpcDouble } from '../../hub/xmlrpc/codec.ts';
import type { TaskContext } from '../adapter.ts';
import { childResult } from '../subtasks.ts';
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
  if (!(await hub.version.hasRepoRequests(signal))) return lookForRepo(context, buildTagId, options);
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

/** The same for hubs before 1.35, which have no requests: the repo that is there, or one that a child looks for. */
async function lookForRepo(
  context: TaskContext,
  buildTagId: number,
  options: BuildOptions,
): Promise<RepoInfo> {
  const { hub, signal, subtasks, clock, history } = context;
  const builds = options.wait_builds;
  let newerThan: RpcDouble | null = null;
  if (options.wait_repo === true)
    newerThan = new RpcDouble(
      await history.once('repo-newer-than', z.number(), async () => clock.now() / 1000),
    );
  else {
    const repo = await hub.repos.getRepo(buildTagId, { signal });
    if (repo !== null && (await hasBuilds(context, buildTagId, builds ?? [], repo.createEvent)))
      return whole(context, repo.id);
    if (repo === null && !(await hub.tags.isBuildTag(buildTagId, signal))) {
      const { name } = await hub.tags.buildConfig(buildTagId, { signal });
      throw buildError(`no repo (and no target) for tag ${name}`);
    }
  }
  const waiting = await subtasks.start({ method: 'waitrepo', args: [buildTagId, newerThan, builds] });
  return whole(context, childResult(TagRepo, await subtasks.wait([waiting]), waiting).id);
}

/** What such hubs leave out where they tell of a tag's repo. */
async function whole({ hub, signal }: TaskContext, repoId: number): Promise<RepoInfo> {
  const repo = await hub.repos.repoInfo(repoId, { strict: true, signal });
  if (repo === null) throw buildError(`No such repo: ${repoId}`);
  return repo;
}

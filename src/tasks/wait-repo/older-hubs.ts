import { faultCodes } from '../../core/koji-faults.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { parseNvr } from '../../rpm/nvr.ts';
import type { TaskContext } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import { hasBuilds } from '../tagged-builds.ts';
import { Pauses } from './pauses.ts';

export interface WantedRepo {
  readonly tag: number | string;
  /** Seconds since the epoch, or `now`. */
  readonly newer_than: number | string | null;
  readonly nvrs: readonly string[] | null;
  readonly min_event: number | 'last' | null;
}

/**
 * waitrepo on hubs before 1.35, which make no repo on request: looks for one that is new enough or holds the
 * given builds until kojira has had it made (`koji/tasks.py WaitrepoTask` of Koji 1.34).
 */
export async function lookForRepo(wanted: WantedRepo, context: TaskContext): Promise<RpcValue> {
  const { hub, signal, clock } = context;
  const tag = await hub.tags.buildConfig(wanted.tag, { signal });
  if (!(await hub.tags.isBuildTag(tag.id, signal))) throw failure(`No build target for tag: ${tag.name}`);
  const builds = wanted.nvrs ?? [];
  for (const nvr of builds) parseNvr(nvr);
  const newerThan = earliestTime(wanted, clock.now() / 1000);
  const pauses = new Pauses(context);
  for (;;) {
    const repo = await hub.repos.getRepo(tag.id, { signal });
    const fresh = repo !== null && (newerThan === null || (repo.creationTs ?? 0) > newerThan);
    if (fresh && (await hasBuilds(context, tag.id, builds, repo.createEvent))) return repo.row;
    await pauses.next(context, () =>
      builds.length > 0 ? `${builds.join(', ')} to appear in the ${tag.name} repo` : `a new ${tag.name} repo`,
    );
  }
}

function earliestTime({ newer_than: newerThan, nvrs, min_event }: WantedRepo, now: number): number | null {
  if (min_event !== null) throw failure('min_event needs a hub of version 1.35 or newer');
  if (typeof newerThan === 'string' && newerThan.toLowerCase() !== 'now')
    throw failure(`Invalid value for newer_than: ${newerThan}`);
  const seconds = typeof newerThan === 'string' ? now : newerThan;
  // A time of 0 is none for kojid, too.
  if (seconds !== null && seconds !== 0 && (nvrs ?? []).length > 0)
    throw failure('only one of (newer_than, nvrs) may be specified');
  return seconds;
}

function failure(message: string): TaskFault {
  return new TaskFault(faultCodes.generic, 'request', message);
}

import { faultCodes } from '../core/koji-faults.ts';
import type { RepoInfo } from '../hub/api/repo-schema.ts';
import type { HostInfo, TagInfo } from '../hub/api/schema.ts';
import { buildrootArchChoices, hostFitsTag, pickOne } from '../rpm/build-arches.ts';
import type { HostFacts, TaskContext } from './adapter.ts';
import { TaskFault } from './errors.ts';

/** Why a host cannot make buildroots of a tag, or null (`builder/kojid checkHostArch`). */
export function disjointArches(tag: TagInfo, host: HostFacts): string | null {
  if (hostFitsTag(tag.arches.join(' '), host.arches.join(' '))) return null;
  return `tag arches (${tag.arches.join(', ')}) and host arches (${host.arches.join(', ')}) are disjoint`;
}

/** The repo a buildroot task is told to use; HubFault 1000 when there is none of that id. */
export async function findRepo({ hub, signal }: TaskContext, repoId: number | null): Promise<RepoInfo> {
  const repo = repoId === null ? null : await hub.repos.repoInfo(repoId, { strict: true, signal });
  if (repo === null) throw new TaskFault(faultCodes.build, 'request', 'A repo id must be provided');
  return repo;
}

/** The arch of the buildroot for a task of `arch`: for noarch one that host and tag have in common. */
export function chooseRootArch(
  arch: string,
  host: HostInfo,
  tag: TagInfo,
  preferred: string | null,
  random: () => number,
): string {
  const hostArches = { name: host.name, arches: host.arches.join(' ') };
  return pickOne(
    buildrootArchChoices(arch, hostArches, { name: tag.name, arches: tag.arches.join(' ') }, preferred),
    random,
  );
}

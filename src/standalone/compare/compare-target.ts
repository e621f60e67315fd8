import { machine } from 'node:os';
import { canonArch, machineArch } from '../../rpm/arch.ts';
import { compareBuild, readTheirPackages, siteOf } from './compare-build.ts';
import type { Comparison } from './comparison.ts';
import { CannotCompare } from './errors.ts';
import { type CompareContext, findInputs } from './rebuild-reference.ts';
import { findTheirBuilds, type ReferenceBuild, rootArchOf } from './reference-build.ts';
import { ReferenceFiles } from './reference-files.ts';

export interface Target {
  /** Number of a task, or a name-version-release. */
  readonly name: string;
  /** Only the buildArch tasks for this arch; null: all that this machine can build. */
  readonly arch: string | null;
  /** Build with the newest repo of the tag instead of the task's own. */
  readonly latestRepo: boolean;
  /** Put vendor, packager and distribution into our packages that theirs have; else those of `CompareContext.host`. */
  readonly theirSite: boolean;
  /** Where to put our packages and logs of a task, or null. */
  keep(taskId: number): string | null;
}

/**
 * Compares the tasks that a target names, one after the other. Nothing is changed on the hub. Throws
 * `CannotCompare` when there is nothing to compare or no way to do it, and the errors of hub and engine.
 */
export async function* compareTarget(
  context: CompareContext,
  target: Target,
  tell: (note: string) => void,
  signal: AbortSignal,
): AsyncGenerator<Comparison> {
  const builds = await findTheirBuilds(target.name, target.arch, context.hub, signal);
  for (const their of chooseBuilds(builds, tell)) {
    const files = new ReferenceFiles(context.files, context.hub, their);
    const theirs = await readTheirPackages(their, files, signal);
    const host = target.theirSite
      ? { ...context.host, site: { ...context.host.site, ...definedOf(siteOf(theirs)) } }
      : context.host;
    const inputs = await findInputs({ ...context, host }, their, target.latestRepo, signal);
    const keep = target.keep(their.task.id);
    yield await compareBuild(context, their, files, theirs, inputs, keep, signal);
  }
}

/** Of several, those for machines like this one; a single one is left to `findInputs` to refuse. */
function chooseBuilds(
  builds: readonly ReferenceBuild[],
  tell: (note: string) => void,
): readonly ReferenceBuild[] {
  if (builds.length === 1) return builds;
  const fitting = builds.filter((their) => machineArch(canonArch(rootArchOf(their))) === machine());
  if (fitting.length === 0) {
    const arches = builds.map((their) => rootArchOf(their)).join(', ');
    throw new CannotCompare(`all tasks are for other machines (${arches}), this one is for ${machine()}`);
  }
  for (const their of builds) {
    if (!fitting.includes(their))
      tell(`task ${their.task.id} is left out: it was built for ${rootArchOf(their)}`);
  }
  return fitting;
}

/** What their packages do not say stays as it is here. */
function definedOf(site: ReturnType<typeof siteOf>): Partial<Record<keyof typeof site, string>> {
  const { vendor, packager, distribution } = site;
  return {
    ...(vendor === null ? {} : { vendor }),
    ...(packager === null ? {} : { packager }),
    ...(distribution === null ? {} : { distribution }),
  };
}

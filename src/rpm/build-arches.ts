import { matchesGlob } from '../core/glob.ts';
import { canonArch, splitArches } from './arch.ts';
import { RpmBuildError } from './errors.ts';
import type { RpmHeader } from './header.ts';
import { toPythonRepr } from './python-text.ts';

/**
 * Which arches a package is built for and where its tasks may run: kojid's rules, of `builder/kojid`
 * `BuildTask` and `BaseBuildTask` and `koji/tasks.py find_arch`, with its fault texts. All pure; where kojid
 * picks at random the candidates are returned and `pickOne` is the picking.
 */

/** What `getBuildConfig` says about a build tag; `arches` and `noarchArches` are blank-separated lists. */
export interface TagArches {
  readonly id: number;
  readonly name: string;
  readonly arches: string | null;
  /** Tag extra `noarch_arches`: the only arches on which noarch tasks of this tag may run. */
  readonly noarchArches?: string | null;
}

/** What a source package's header says about arches. */
export type SourceArches = Pick<RpmHeader, 'buildArchs' | 'exclusiveArch' | 'excludeArch'>;

export interface BuildArchOptions {
  /** Extra arches the package has in the destination tag (`getPackageConfig`). */
  readonly extraArches?: string | null;
  readonly scratch?: boolean;
  /** Arches the user asked for; counts for scratch builds only. */
  readonly archOverride?: string | null;
}

/**
 * Arches to build for, in kojid's order without repeats (`BuildTask.getArchList`). The first keeps the SRPM.
 * Throws RpmBuildError when the tag has no arches or none is left.
 */
export function planBuildArches(
  tag: TagArches,
  source: SourceArches,
  options: BuildArchOptions = {},
): readonly string[] {
  if (!tag.arches) throw new RpmBuildError('request', `No arches for tag ${tag.name} [${tag.id}]`);
  const tagArches = splitArches(tag.arches).map(canonArch);
  const override = options.scratch === true && options.archOverride ? options.archOverride : null;
  const candidates =
    override === null
      ? sourceArchList([...splitArches(tag.arches), ...splitArches(options.extraArches ?? null)], source)
      : splitArches(override);
  const arches = candidates.filter((arch) => arch === 'noarch' || tagArches.includes(canonArch(arch)));
  if (arches.length === 0) throw new RpmBuildError('package', 'No matching arches were found');
  return [...new Set(arches)];
}

function sourceArchList(base: readonly string[], source: SourceArches): readonly string[] {
  const { buildArchs, exclusiveArch, excludeArch } = source;
  const wanted = (buildArchs.length > 0 ? buildArchs : base)
    .filter((arch) => exclusiveArch.length === 0 || exclusiveArch.includes(arch))
    .filter((arch) => !excludeArch.includes(arch));
  const hasNoarch = buildArchs.includes('noarch') || exclusiveArch.includes('noarch');
  return hasNoarch && !excludeArch.includes('noarch') ? [...wanted, 'noarch'] : wanted;
}

/**
 * Arches that the subtask for `arch` may be given, one of them to be picked (`BuildTask.choose_taskarch`): the
 * canonical arch, or for noarch `noarch` itself unless ExclusiveArch, ExcludeArch or the tag's `noarch_arches`
 * leave only some of the tag's arches. `source` is null for an SRPM that is yet to be made.
 * `literalTaskArches` is kojid's option: patterns of arches that stay as they are.
 * Throws RpmBuildError when nothing is left.
 */
export function taskArchChoices(
  arch: string,
  tag: TagArches,
  source: SourceArches | null,
  literalTaskArches = '',
): readonly string[] {
  if (splitArches(literalTaskArches).some((pattern) => matchesGlob(arch, pattern))) return [arch];
  if (arch !== 'noarch') return [canonArch(arch)];
  const exclusive = (source?.exclusiveArch ?? []).map(canonArch);
  const exclude = (source?.excludeArch ?? []).map(canonArch);
  const noarchArches = tag.noarchArches ?? null;
  if (exclusive.length === 0 && exclude.length === 0 && !noarchArches) return ['noarch'];
  const tagArches = splitArches(tag.arches).map(canonArch);
  const allowed = noarchArches ? splitArches(noarchArches).map(canonArch) : tagArches;
  const choices = allowed
    .filter((choice) => tagArches.includes(choice))
    .filter((choice) => exclusive.length === 0 || exclusive.includes(choice))
    .filter((choice) => !exclude.includes(choice));
  if (choices.length === 0) {
    const [inTag, extra, only, never] = [tagArches, noarchArches, exclusive, exclude].map(toPythonRepr);
    const facts = `tag ${inTag}, extra ${extra},exclusive ${only}, exclude ${never}`;
    throw new RpmBuildError('package', `No valid arches were found. ${facts}`);
  }
  return tagArches.every((tagArch) => choices.includes(tagArch)) ? ['noarch'] : choices;
}

/** Whether a host with these arches (`host.arches`) can make a buildroot of the tag (`BaseBuildTask.checkHostArch`). */
export function hostFitsTag(tagArches: string | null, hostArches: string | null): boolean {
  // A tag without arches is let through here, so that the task runs and fails with a message.
  if (!tagArches) return true;
  const host = splitArches(hostArches);
  return splitArches(tagArches).some((arch) => host.includes(canonArch(arch)));
}

/** A host as `host.getHost` describes it. */
export interface HostArches {
  readonly name: string;
  readonly arches: string | null;
}

/**
 * Arches a buildroot for `arch` may have, one of them to be picked (`find_arch`): `arch` itself unless it is
 * noarch; for noarch what host and tag have in common, or of that `preferredArch` (the task's own arch).
 * Throws RpmBuildError when they have nothing in common.
 */
export function buildrootArchChoices(
  arch: string,
  host: HostArches,
  tag: Pick<TagArches, 'name' | 'arches'>,
  preferredArch: string | null = null,
): readonly string[] {
  if (arch !== 'noarch') return [arch];
  if (!host.arches) throw new RpmBuildError('builder', `No arch list for this host: ${host.name}`);
  if (!tag.arches) throw new RpmBuildError('request', `No arch list for tag: ${tag.name}`);
  const hostArches = new Set(splitArches(host.arches).map(canonArch));
  const tagArches = new Set(splitArches(tag.arches).map(canonArch));
  const common = [...hostArches.intersection(tagArches)].sort();
  if (common.length === 0) {
    const [mine, theirs] = [hostArches, tagArches].map((arches) => [...arches].sort().join(', '));
    const fault = `host ${host.name} (${mine}) does not support any arches of tag ${tag.name} (${theirs})`;
    throw new RpmBuildError('builder', fault);
  }
  return preferredArch !== null && common.includes(preferredArch) ? [preferredArch] : common;
}

/** One of `choices`, which is not empty; `random` gives numbers from 0 up to, not including, 1. */
export function pickOne(choices: readonly string[], random: () => number): string {
  const choice = choices[Math.floor(random() * choices.length)];
  if (choice === undefined) throw new RangeError(`no choice at this random number among ${choices.length}`);
  return choice;
}

const defaultBuildArchWeight = 1.5;

/**
 * Weight of a buildArch task whose package took `averageSeconds` before, null where kojid leaves the default of
 * 1.5 (`BuildArchTask.updateWeight`): 0.75 more for each hour, at most 18 more.
 */
export function buildArchWeight(averageSeconds: number | null): number | null {
  if (averageSeconds === null || averageSeconds <= 0) return null;
  return defaultBuildArchWeight + Math.min(18, averageSeconds / 4800);
}

import type { ListedPackage } from '../../buildroot/root/installed-packages.ts';
import type { ExternalRepo } from '../../hub/api/schema.ts';
import { type Difference, pairByKey, valueDifference } from './difference.ts';
import type { BuildrootRpm } from './read-only-hub.ts';

/** A package of a buildroot, as both sides can be shown. */
export interface RootPackage {
  readonly name: string;
  readonly epoch: number | null;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  readonly payloadhash: string;
  /** Name of an external repo, or INTERNAL. */
  readonly origin: string;
  /** It came after the group: with the build requirements. */
  readonly isUpdate: boolean;
}

/** Our root as the hub would have been told: the group first, then what was new before rpmbuild ran. */
export function ourRoot(
  group: readonly ListedPackage[],
  installed: readonly ListedPackage[],
  externals: readonly ExternalRepo[],
): readonly RootPackage[] {
  const names = new Map(externals.map(({ id, name }) => [id, name]));
  const known = new Set(group.map(nvraOf));
  const show = (one: ListedPackage, isUpdate: boolean): RootPackage => ({
    ...one,
    origin: one.location === undefined ? 'INTERNAL' : (names.get(one.location) ?? String(one.location)),
    isUpdate,
  });
  return [
    ...group.map((one) => show(one, false)),
    ...installed.filter((one) => !known.has(nvraOf(one))).map((one) => show(one, true)),
  ];
}

/** Their root as the hub has it listed. */
export function theirRoot(rpms: readonly BuildrootRpm[]): readonly RootPackage[] {
  return rpms.map((one) => ({ ...one, origin: one.external_repo_name, isUpdate: one.is_update }));
}

/** Packages that only one root had, or had in another version, from another repo or at another time. */
export function rootDifferences(
  ours: readonly RootPackage[],
  theirs: readonly RootPackage[],
): readonly Difference[] {
  const byVersion = (a: RootPackage, b: RootPackage): number => (nvraOf(a) < nvraOf(b) ? -1 : 1);
  const pairs = pairByKey(
    ours.toSorted(byVersion),
    theirs.toSorted(byVersion),
    ({ name, arch }) => `${name}.${arch}`,
  );
  return pairs.flatMap(({ key, ours: here, theirs: there }) => {
    const version = valueDifference('buildroot.package', key, showVersion(here), showVersion(there));
    if (here === null || there === null || version.length > 0) return version;
    return [
      ...valueDifference('buildroot.payloadhash', key, here.payloadhash, there.payloadhash),
      ...valueDifference('buildroot.origin', key, here.origin, there.origin),
      ...valueDifference('buildroot.step', key, stepOf(here), stepOf(there)),
    ];
  });
}

function nvraOf({ name, version, release, arch }: Omit<RootPackage, 'origin' | 'isUpdate'>): string {
  return `${name}-${version}-${release}.${arch}`;
}

function showVersion(one: RootPackage | null): string | null {
  return one === null ? null : `${one.epoch === null ? '' : `${one.epoch}:`}${one.version}-${one.release}`;
}

function stepOf({ isUpdate }: RootPackage): string {
  return isUpdate ? 'build requirements' : 'group';
}

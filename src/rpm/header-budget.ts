import { dependencyTags } from './dependency-tags.ts';
import { rpmTag, signatureTag } from './header-tags.ts';

/**
 * What a header may announce: bytes alone say little, for a byte of its store can become an object of hundreds. Real
 * packages stay below a tenth of these counts.
 */
export const headerBudget = {
  /** Files of a package, and elements of any tag that is not named below. */
  files: 250_000,
  /** Dependencies of one kind. */
  dependencies: 100_000,
  /** Arches, sources left out and translations. */
  few: 1_000,
  /** Strings in all tags of a header together. */
  strings: 5_000_000,
  /** Bytes of one string. */
  stringBytes: 1024 * 1024,
  /** Bytes of a file's path, as the kernel takes it (`PATH_MAX`). */
  pathBytes: 4096,
  /** Characters of all paths: directories are named once and used by any number of files. */
  pathsTotal: 32 * 1024 * 1024,
} as const;

/** Types of rpm's headers by number (`lib/rpmtypes.h`). */
export const dataType = {
  char: 1,
  int8: 2,
  int16: 3,
  int32: 4,
  int64: 5,
  string: 6,
  binary: 7,
  stringArray: 8,
  i18nString: 9,
} as const;

/** What one tag may hold. */
export interface TagRule {
  readonly types: readonly number[];
  /** The same in words. */
  readonly what: string;
  readonly most: number;
}

const { char, int8, int16, int32, int64, string, stringArray, i18nString, binary } = dataType;
const { files, dependencies, few } = headerBudget;

function rules(tags: readonly number[], types: readonly number[], most: number): [number, TagRule][] {
  return tags.map((tag) => [tag, { types, what: describe(types), most }]);
}

const widths: ReadonlyMap<number, number> = new Map([
  [char, 1],
  [int8, 1],
  [int16, 2],
  [int32, 4],
  [int64, 8],
]);

function describe([first = binary, ...others]: readonly number[]): string {
  if (first === string) return others.includes(i18nString) ? 'a string' : 'a list of strings';
  if (first === stringArray) return 'a list of strings';
  const width = widths.get(first);
  return width === undefined ? 'binary data' : `a number of ${width} bytes`;
}

const namesOfDependencies = Object.values(dependencyTags).flatMap(({ name, version }) => [name, version]);
const flagsOfDependencies = Object.values(dependencyTags).map(({ flags }) => flags);

/** Of the tags that are read, by number; of those that have one member, the first counts. */
const mainRules: ReadonlyMap<number, TagRule> = new Map([
  ...rules(
    [
      rpmTag.name,
      rpmTag.version,
      rpmTag.release,
      rpmTag.arch,
      rpmTag.sourceRpm,
      rpmTag.buildHost,
      rpmTag.vendor,
      rpmTag.packager,
      rpmTag.distribution,
    ],
    [string, i18nString, stringArray],
    few,
  ),
  ...rules([rpmTag.epoch, rpmTag.buildTime, rpmTag.size], [int32], few),
  ...rules([rpmTag.longSize], [int64], few),
  ...rules([rpmTag.exclusiveArch, rpmTag.excludeArch, rpmTag.buildArchs], [stringArray, string], few),
  ...rules([rpmTag.payloadSha256], [stringArray, string], few),
  ...rules([rpmTag.noSource, rpmTag.noPatch], [int32], few),
  ...rules(namesOfDependencies, [stringArray, string], dependencies),
  ...rules(flagsOfDependencies, [int32], dependencies),
  ...rules(
    [
      rpmTag.baseNames,
      rpmTag.dirNames,
      rpmTag.fileDigests,
      rpmTag.fileLinkTos,
      rpmTag.fileUserName,
      rpmTag.fileGroupName,
      rpmTag.fileLangs,
      rpmTag.fileCaps,
    ],
    [stringArray, string],
    files,
  ),
  ...rules([rpmTag.fileModes, rpmTag.fileRdevs], [int16], files),
  ...rules([rpmTag.fileStates], [char, int8], files),
  ...rules(
    [
      rpmTag.fileSizes,
      rpmTag.fileMtimes,
      rpmTag.fileFlags,
      rpmTag.fileVerifyFlags,
      rpmTag.fileDevices,
      rpmTag.fileInodes,
      rpmTag.dirIndexes,
      rpmTag.fileColors,
      rpmTag.fileClass,
      rpmTag.fileDependsX,
      rpmTag.fileDependsN,
    ],
    [int32],
    files,
  ),
  ...rules([rpmTag.longFileSizes], [int64], files),
]);

const signatureRules: ReadonlyMap<number, TagRule> = new Map(rules([signatureTag.md5], [binary], 64));

/** The rule for a tag of the header `label`; null for a tag that is not read by name. */
export function ruleOf(label: string, tag: number): TagRule | null {
  return (label === 'signature' ? signatureRules : mainRules).get(tag) ?? null;
}

/** How many elements a tag without a rule may have. Bytes of binary data are no elements. */
export function mostElements(type: number): number {
  if (type === binary) return Number.POSITIVE_INFINITY;
  return type === i18nString ? few : files;
}

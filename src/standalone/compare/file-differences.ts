import { BadRpm } from '../../rpm/errors.ts';
import type { RpmFile, RpmHeader } from '../../rpm/header.ts';
import { rpmTag } from '../../rpm/header-tags.ts';
import { formatDependency } from './dependency-differences.ts';
import { type Difference, pairByKey, stablePath, valueDifference } from './difference.ts';

/** RPMFILE bits by their words in a spec or in `rpm -q --fileflags` (`rpmfiles.h`). */
const flagWords: readonly (readonly [bit: number, word: string])[] = [
  [0, 'config'],
  [1, 'doc'],
  [2, 'icon'],
  [3, 'missingok'],
  [4, 'noreplace'],
  [5, 'specfile'],
  [6, 'ghost'],
  [7, 'license'],
  [8, 'readme'],
  [11, 'pubkey'],
  [12, 'artifact'],
];

const isRegular = (mode: number): boolean => (mode & 0o170000) === 0o100000;
const isDevice = (mode: number): boolean => [0o020000, 0o060000].includes(mode & 0o170000);

/** What else a header says of its n-th file, besides what `RpmFile` has. */
interface ListedFile extends RpmFile {
  readonly more: Readonly<Record<string, string>>;
}

/** The fields of a file that are compared. */
const fileFields: Readonly<Record<string, (file: ListedFile) => string>> = {
  path: (file) => file.path,
  mode: (file) => file.mode.toString(8).padStart(6, '0'),
  user: (file) => file.user ?? '',
  group: (file) => file.group ?? '',
  flags: (file) => formatFlags(file.flags),
  linkto: (file) => file.linkTo,
  digest: (file) => file.digest,
  // Of directories it is what the file system of the builder says.
  size: (file) => (isRegular(file.mode) ? String(file.sizeBytes) : ''),
  mtime: (file) => String(file.mtime),
  rdev: (file) => (isDevice(file.mode) ? String(file.rdev) : ''),
  inode: (file) => String(file.inode),
  verifyflags: (file) => (file.verifyFlags >>> 0).toString(16),
  capabilities: (file) => file.capabilities,
};

/** Tags that are compared file by file, or tell where files lie: shifted as wholes when one file is missing. */
export const fileTags: ReadonlySet<number> = new Set([
  ...[rpmTag.baseNames, rpmTag.dirNames, rpmTag.dirIndexes, rpmTag.oldFileNames],
  ...[rpmTag.fileModes, rpmTag.fileUserName, rpmTag.fileGroupName, rpmTag.fileFlags, rpmTag.fileLinkTos],
  ...[rpmTag.fileDigests, rpmTag.fileSizes, rpmTag.longFileSizes, rpmTag.fileMtimes, rpmTag.fileRdevs],
  ...[rpmTag.fileInodes, rpmTag.fileVerifyFlags, rpmTag.fileCaps, rpmTag.fileStates, rpmTag.fileDevices],
  ...[rpmTag.fileLangs, rpmTag.fileColors, rpmTag.fileClass, rpmTag.classDict],
  ...[rpmTag.fileDependsX, rpmTag.fileDependsN, rpmTag.dependsDict],
]);

/**
 * Files that only one package has, and what is different of those that both have. The fields of a source
 * package's files are `source.*`: they were given, not made, so that nothing about them may differ.
 */
export function fileDifferences(ours: RpmHeader, theirs: RpmHeader): readonly Difference[] {
  const word = theirs.isSource ? 'source' : 'file';
  const pairs = pairByKey(listFiles(ours), listFiles(theirs), keyOf);
  return pairs.flatMap((pair) => {
    const { key, ours: here, theirs: there } = pair;
    if (here === null || there === null) {
      return valueDifference(word, key, here?.path ?? null, there?.path ?? null);
    }
    const named = Object.entries(fileFields).flatMap(([field, show]) =>
      valueDifference(`${word}.${field}`, key, show(here), show(there)),
    );
    const more = Object.keys({ ...here.more, ...there.more }).flatMap((field) =>
      valueDifference(`${word}.${field}`, key, here.more[field] ?? '', there.more[field] ?? ''),
    );
    return [...named, ...more];
  });
}

/** Links of build ids belong together by what they lead to. */
function keyOf(file: ListedFile): string {
  const path = stablePath(file.path);
  return path === file.path || file.linkTo === '' ? path : `${path} -> ${stablePath(file.linkTo)}`;
}

function formatFlags(flags: number): string {
  const words = flagWords.filter(([bit]) => (flags >>> bit) & 1).map(([, word]) => word);
  const known = flagWords.reduce((sum, [bit]) => sum | (1 << bit), 0);
  const rest = (flags & ~known) >>> 0;
  return [...words, ...(rest === 0 ? [] : [`0x${rest.toString(16)}`])].join(' ');
}

function listFiles(header: RpmHeader): readonly ListedFile[] {
  const classes = header.values(rpmTag.classDict);
  const text = (tag: number): ((index: number) => string) => {
    const values = header.values(tag);
    return (index) => String(values[index] ?? '');
  };
  const [device, lang, color, classIndex] = [
    text(rpmTag.fileDevices),
    text(rpmTag.fileLangs),
    text(rpmTag.fileColors),
    text(rpmTag.fileClass),
  ];
  const dependencies = readDependencies(header);
  return header.files().map((file, index) => ({
    ...file,
    more: {
      device: device(index),
      lang: lang(index),
      color: color(index),
      class: String(classes[Number(classIndex(index))] ?? ''),
      dependencies: dependencies(index),
    },
  }));
}

/** The dependencies that came from each file: a stretch of a list whose entries are a kind's letter and a number. */
function readDependencies(header: RpmHeader): (index: number) => string {
  const starts = header.values(rpmTag.fileDependsX).map(Number);
  const counts = header.values(rpmTag.fileDependsN).map(Number);
  const entries = header.values(rpmTag.dependsDict).map(Number);
  if (entries.length === 0) return () => '';
  const kinds: ReadonlyMap<number, readonly string[]> = new Map([
    [0x50, header.dependencies('provides').map((one) => `provides ${formatDependency(one)}`)],
    [0x52, header.dependencies('requires').map((one) => `requires ${formatDependency(one)}`)],
  ]);
  return (index) => {
    const start = starts[index] ?? 0;
    const count = counts[index] ?? 0;
    if (start + count > entries.length)
      throw new BadRpm('bad main header: dependencies of a file point beyond their list');
    return entries
      .slice(start, start + count)
      .map((entry) => kinds.get(entry >>> 24)?.[entry & 0xffffff] ?? `0x${entry.toString(16)}`)
      .sort()
      .join(', ');
  };
}

import { createHash, type Hash } from 'node:crypto';
import type { DependencyKind } from './dependency-tags.ts';
import type { RpmDependency, RpmFile, RpmHeader } from './header.ts';
import { rpmTag } from './header-tags.ts';
import { compareCodePoints, toAsciiJson } from './python-text.ts';

/**
 * Koji builds the noarch subpackages of a package once per arch and keeps one of each; the hub compares
 * them by the hash made here. It is the SHA-256 of a JSON text that must equal Python's byte for byte
 * (`koji/rpmdiff.py kojihash` with `ignore='S5TN'`, as `builder/kojid BuildArchTask.handler` calls it).
 */

/** In the order of their numbers, as the JSON text has them. */
const comparedTags = [
  rpmTag.name,
  rpmTag.summary,
  rpmTag.description,
  rpmTag.license,
  rpmTag.group,
  rpmTag.url,
  rpmTag.preIn,
  rpmTag.postIn,
  rpmTag.preUn,
  rpmTag.postUn,
];

/** In the order of the JSON text: its keys are sorted. */
const dependencyKinds: readonly (readonly [string, DependencyKind])[] = [
  ['CONFLICTS', 'conflicts'],
  ['OBSOLETES', 'obsoletes'],
  ['PROVIDES', 'provides'],
  ['REQUIRES', 'requires'],
];

const senseEqual = 8;

/** Name of the file that carries the hashes; it is uploaded and listed among the logs. */
export const noarchRpmdiffName = 'noarch_rpmdiff.json';

/** kojid's hash of a binary package, in hex: equal for packages that differ only in file sizes, digests, times and link counts. */
export function noarchRpmdiffHash(header: RpmHeader): string {
  const hash = createHash('sha256');
  // Piece by piece: the whole text may be longer than a string can be.
  hash.update('{');
  for (const [key, kind] of dependencyKinds) {
    hash.update(`"${key}": [`);
    updateEach(hash, dependenciesJson(header, kind));
    hash.update('], ');
  }
  hash.update('"files": {');
  updateEach(hash, filesJson(header.files()));
  const tags = comparedTags.map((tag) => `"${tag}": ${toTextJson(header.text(tag))}`);
  return hash.update(`}, "ignore": "S5TN", "tags": {${tags.join(', ')}}}`).digest('hex');
}

function updateEach(hash: Hash, members: Iterable<string>): void {
  let isFirst = true;
  for (const member of members) {
    hash.update(isFirst ? member : `, ${member}`);
    isFirst = false;
  }
}

/** Content of `noarch_rpmdiff.json`; kojid writes the file only when there is a hash to put into it. */
export function toNoarchRpmdiffJson(taskId: number, hashes: ReadonlyMap<string, string>): string {
  const members = [...hashes]
    .sort(([a], [b]) => compareCodePoints(a, b))
    .map(([name, hash]) => `    ${toAsciiJson(name)}: "${hash}"`);
  return `{\n  "${taskId}": {\n${members.join(',\n')}\n  }\n}`;
}

function toTextJson(text: string | null): string {
  return text === null ? 'null' : toAsciiJson(text);
}

function* dependenciesJson(header: RpmHeader, kind: DependencyKind): Generator<string> {
  const selfVersion = `${header.version}-${header.release}`;
  const isSelf = (entry: RpmDependency) =>
    entry.name === header.name && entry.flags === senseEqual && entry.version === selfVersion;
  const entries = header
    .dependencies(kind)
    .filter((entry) => kind !== 'provides' || !isSelf(entry))
    .toSorted(compareDependencies);
  for (const { name, flags, version } of entries)
    yield `[${toAsciiJson(name)}, ${flags}, ${toAsciiJson(version)}]`;
}

function compareDependencies(a: RpmDependency, b: RpmDependency): number {
  return compareCodePoints(a.name, b.name) || a.flags - b.flags || compareCodePoints(a.version, b.version);
}

function* filesJson(files: readonly RpmFile[]): Generator<string> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  for (const file of [...byPath.values()].sort((a, b) => compareCodePoints(a.path, b.path)))
    yield `${toAsciiJson(file.path)}: [${toFileFields(file).join(', ')}]`;
}

/** Size, mtime, nlink and digest are ignored, but keep their places; rpm's Python module gives signed 32-bit numbers. */
function toFileFields(file: RpmFile): readonly (string | number)[] {
  return [
    'null',
    file.mode,
    'null',
    file.flags | 0,
    file.rdev,
    file.inode | 0,
    'null',
    file.state ?? -1,
    file.verifyFlags | 0,
    toTextJson(file.user),
    toTextJson(file.group),
    'null',
  ];
}

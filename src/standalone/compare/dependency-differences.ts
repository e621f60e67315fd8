import type { DependencyKind } from '../../rpm/dependency-tags.ts';
import type { RpmDependency, RpmHeader } from '../../rpm/header.ts';
import { type Difference, pairByKey, stableDependency, valueDifference } from './difference.ts';

/** rpm's RPMSENSE bits that compare versions, and the words for the others (`rpmds.h`). */
const less = 2;
const greater = 4;
const equal = 8;
const senses: readonly (readonly [bit: number, word: string])[] = [
  [5, 'posttrans'],
  [6, 'prereq'],
  [7, 'pretrans'],
  [8, 'interp'],
  [9, 'pre'],
  [10, 'post'],
  [11, 'preun'],
  [12, 'postun'],
  [13, 'verify'],
  [14, 'auto'],
  [15, 'auto-provides'],
  [19, 'missingok'],
  [24, 'rpmlib'],
  [28, 'config'],
  [29, 'meta'],
];

/** A dependency as people write it, with its other flags behind it: `foo >= 1 (pre, post)`. */
export function formatDependency({ name, flags, version }: RpmDependency): string {
  const operator = `${flags & less ? '<' : ''}${flags & greater ? '>' : ''}${flags & equal ? '=' : ''}`;
  const words = senses.filter(([bit]) => (flags >>> bit) & 1).map(([, word]) => word);
  const known = senses.reduce((sum, [bit]) => sum | (1 << bit), less | greater | equal);
  const rest = (flags & ~known) >>> 0;
  if (rest !== 0) words.push(`0x${rest.toString(16)}`);
  const condition = operator === '' && version === '' ? '' : ` ${operator} ${version}`;
  return `${name}${condition}${words.length === 0 ? '' : ` (${words.join(', ')})`}`;
}

/** Dependencies of one kind that only one of the packages has. Their order does not count. */
export function dependencyDifferences(
  kind: DependencyKind,
  ours: RpmHeader,
  theirs: RpmHeader,
): readonly Difference[] {
  const pairs = pairByKey(
    ours.dependencies(kind).map(formatDependency),
    theirs.dependencies(kind).map(formatDependency),
    stableDependency,
  );
  return pairs.flatMap((pair) => valueDifference(kind, pair.key, pair.ours, pair.theirs));
}

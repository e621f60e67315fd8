import { type DependencyKind, dependencyTags } from '../../rpm/dependency-tags.ts';
import type { RpmHeader } from '../../rpm/header.ts';
import { tagName } from '../../rpm/tag-names.ts';
import { dependencyDifferences } from './dependency-differences.ts';
import { type Difference, valueDifference } from './difference.ts';
import { fileDifferences, fileTags } from './file-differences.ts';

// The names of a record whose keys are these.
const kinds = Object.keys(dependencyTags) as readonly DependencyKind[];

const comparedElsewhere: ReadonlySet<number> = new Set([
  ...fileTags,
  ...Object.values(dependencyTags).flatMap(({ name, flags, version }) => [name, flags, version]),
]);

/**
 * Everything in which the main headers of two packages differ: every tag that one of them has, named as rpm
 * names it (`vendor`, `payloadcompressor`, `prein`, `changelogtext`), each dependency, and each file with its
 * fields. The signature header (digests, and signatures that come after the build) is left out. Nothing is
 * excused here; that is for `judgeDifferences`. Throws BadRpm when lists of a header contradict each other.
 */
export function rpmDifferences(ours: RpmHeader, theirs: RpmHeader): readonly Difference[] {
  const tags = [...new Set([...ours.tags, ...theirs.tags])].sort((a, b) => a - b);
  return [
    ...tags
      .filter((tag) => !comparedElsewhere.has(tag))
      .flatMap((tag) => valueDifference(tagName(tag), null, show(ours, tag), show(theirs, tag))),
    ...kinds.flatMap((kind) => dependencyDifferences(kind, ours, theirs)),
    ...fileDifferences(ours, theirs),
  ];
}

function show(header: RpmHeader, tag: number): string | null {
  const values = header.values(tag);
  if (values.length === 0) return null;
  return values.length === 1 ? String(values[0]) : JSON.stringify(values);
}

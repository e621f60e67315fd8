import { createHash } from 'node:crypto';

/**
 * What dnf 4 keeps of repo `build` below its `cachedir`: the metadata as it came in a directory that is named after
 * the repo's first URL (`libdnf/repo/Repo.cpp getHash`), and beside it what it has parsed.
 */
const fetched = /^build-[0-9a-f]{16}\//;
const parsed = /^build(-[a-z]+)?\.solvx?$/;

/** Name of a file of dnf's `cachedir` among what is kept for repos at any URL; null for what is not worth keeping. */
export function toKept(path: string): string | null {
  if (fetched.test(path)) return path.replace(fetched, 'build/');
  return parsed.test(path) ? path : null;
}

/** The path in the `cachedir` of a dnf that reads the repo from these URLs. */
export function fromKept(kept: string, repoUrls: readonly string[]): string {
  if (!kept.startsWith('build/')) return kept;
  const named = createHash('sha256')
    .update(repoUrls[0] ?? 'build')
    .digest('hex')
    .slice(0, 16);
  return `build-${named}/${kept.slice('build/'.length)}`;
}

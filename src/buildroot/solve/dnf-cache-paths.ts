import { createHash } from 'node:crypto';
import type { PackageRepo } from '../plan/repos.ts';

/**
 * What dnf keeps of repos `build`, `build-2`... below its `cachedir`: the metadata as it came in a directory that is
 * named after the repo and its first URL (`libdnf/repo/Repo.cpp getHash`, `libdnf5/repo/config_repo.cpp get_unique_id`), and what
 * it has parsed; dnf 4 beside that, dnf 5 in it.
 */
const fetched = /^(build(?:-\d+)?)-[0-9a-f]{16}\//;
const parsed = /^build(-\d+)?(-[a-z]+)?\.solvx?$/;

/** Name of a file of dnf's `cachedir` among what is kept for repos at any URL; null for what is not worth keeping. */
export function toKept(path: string): string | null {
  if (fetched.test(path)) return path.replace(fetched, '$1/');
  return parsed.test(path) ? path : null;
}

/** The path in the `cachedir` of a dnf that reads these repos. */
export function fromKept(kept: string, repos: readonly PackageRepo[]): string {
  const repo = repos.find(({ id }) => kept.startsWith(`${id}/`));
  if (repo === undefined) return kept;
  const { id, urls } = repo;
  const named = createHash('sha256')
    .update(urls[0] ?? id)
    .digest('hex')
    .slice(0, 16);
  return `${id}-${named}/${kept.slice(id.length + 1)}`;
}

import { RepoOrigins } from '../../cache/repo-origins.ts';
import type { PackageRepo } from '../plan/repos.ts';

/** Where packages of all these repos may lie. */
export function originsOf(repos: readonly PackageRepo[]): RepoOrigins {
  return new RepoOrigins(repos.flatMap(({ urls, merged = [] }) => [...urls, ...merged]));
}

import { withoutLogins } from '../core/without-logins.ts';
import type { PackageRepo } from './package-repos.ts';

/**
 * Which repo is to blame when dnf could not read its metadata, and what to do, from the end of what dnf has said; null when
 * it was something else.
 */
export function describeRepoFailure(said: string, repos: readonly PackageRepo[]): string | null {
  const [, id = '', why = ''] = /Failed to download metadata for repo '([^']+)': ([^\n]*)/.exec(said) ?? [];
  const repo = repos.find((one) => one.id === id);
  if (repo === undefined) return null;
  const reason = why.replace(/[\s(]+$/, '');
  const urls = withoutLogins(repo.urls.join(', '));
  return `the metadata of ${urls} cannot be read (${reason}): have the repo made again (koji regen-repo for one of a tag), or mend what serves it`;
}

import { withoutLogins } from '../../core/redact.ts';
import type { PackageRepo } from '../plan/repos.ts';

/** As dnf 4 says it, and dnf 5, which puts a URL in between. */
const failed =
  /Failed to download metadata (?:for repo '([^']+)'|\([^\n]*\) for repository "([^"\n]+)"): ([^\n]*)/;

/** As libcurl says that it does not trust a server. */
const distrusted = /Curl error \(60\)|SSL certificate problem|SSL peer certificate/;

/**
 * Which repo is to blame when dnf could not read its metadata, and what to do, from the end of what dnf has said; null when
 * it was something else.
 */
export function describeRepoFailure(said: string, repos: readonly PackageRepo[]): string | null {
  const [, four, five, why = ''] = failed.exec(said) ?? [];
  const repo = repos.find(({ id }) => id === (four ?? five));
  if (repo === undefined) return null;
  const reason = why.replace(/[\s(]+$/, '');
  const urls = withoutLogins(repo.urls.join(', '));
  if (distrusted.test(said))
    return `the metadata of ${urls} cannot be read (${reason}): add the authority of that server's certificate to this host's trust store and start again`;
  return `the metadata of ${urls} cannot be read (${reason}): have the repo made again (koji regen-repo for one of a tag), or repair the server`;
}

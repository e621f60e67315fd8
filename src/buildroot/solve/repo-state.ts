import { SaxesParser } from 'saxes';
import type { UrlReader } from '../../cache/fetcher.ts';
import { joinUrl } from '../../cache/repo-urls.ts';
import type { PackageRepo } from '../plan/repos.ts';

/** The parts of a repo's metadata that a solver's answer depends on. */
const decisive = ['primary', 'group', 'group_gz', 'modules'];

/** The states of several repos; null when that of one cannot be told. */
export async function readRepoStates(
  repos: readonly PackageRepo[],
  urlReader: UrlReader,
  signal: AbortSignal,
): Promise<string | null> {
  const states = await Promise.all(repos.map(({ urls }) => readRepoState(urls, urlReader, signal)));
  return states.includes(null) ? null : states.join('\n');
}

/**
 * A text that is the same for repos with the same packages, groups and modules: the digests of those parts. Not
 * repomd.xml itself, which has a new revision each time a repo is made. Null when it cannot be told; the solver then
 * says what is wrong with the repo.
 */
export async function readRepoState(
  repoUrls: readonly string[],
  urls: UrlReader,
  signal: AbortSignal,
): Promise<string | null> {
  for (const url of repoUrls) {
    try {
      const chunks: Buffer[] = [];
      const { body } = await urls.open(joinUrl(url, 'repodata/repomd.xml'), { signal });
      for await (const chunk of body) chunks.push(Buffer.from(chunk));
      const state = parseRepoState(Buffer.concat(chunks).toString('utf8'));
      if (state !== null) return state;
    } catch {
      signal.throwIfAborted();
    }
  }
  return null;
}

/** The same of a `repomd.xml`, or null when that does not name a primary part. */
export function parseRepoState(repomd: string): string | null {
  const digests = new Map<string, string>();
  const parser = new SaxesParser();
  let part = '';
  let text = '';
  parser.on('opentag', ({ name, attributes }) => {
    if (name === 'data') part = attributes['type'] ?? '';
    text = '';
  });
  parser.on('text', (more) => {
    text += more;
  });
  parser.on('closetag', ({ name }) => {
    if (!decisive.includes(part)) return;
    // The digest of the uncompressed part counts: how it was compressed does not matter.
    if (name === 'open-checksum' || (name === 'checksum' && !digests.has(part)))
      digests.set(part, text.trim());
  });
  try {
    parser.write(repomd).close();
  } catch {
    return null;
  }
  if (!digests.has('primary')) return null;
  // The same groups under two names: the uncompressed one may carry another digest than the open one.
  return [...digests]
    .map(([name, digest]) => `${name}=${digest}`)
    .sort()
    .join(' ');
}

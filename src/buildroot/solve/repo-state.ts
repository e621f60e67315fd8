import { join } from 'node:path';
import { SaxesParser } from 'saxes';
import type { Fetcher } from '../../cache/fetcher.ts';
import { joinUrl } from '../../cache/repo-urls.ts';
import { readLeftFile } from '../../core/read-left-file.ts';
import type { PackageRepo } from '../plan/repos.ts';
import { fromKept } from './dnf-cache-paths.ts';
import { originsOf } from './repo-places.ts';

/** The parts of a repo's metadata that a solver's answer depends on: files are required, too. */
const decisive = /^(?:primary|filelists|filelists-ext|group|group_gz|group_xz|group_zst|modules)$/;
/** What tells content from other content for everybody; anything less only says so. */
const strongKinds: readonly string[] = ['sha256', 'sha384', 'sha512'];
/** A repomd.xml of a distribution has some ten kilobytes. */
const mostBytes = 16 * 1024 * 1024;

/** The states of several repos; null when that of one cannot be told. */
export async function readRepoStates(
  repos: readonly PackageRepo[],
  urlReader: Fetcher,
  signal: AbortSignal,
): Promise<string | null> {
  const states = await Promise.all(repos.map(({ urls }) => readRepoState(urls, urlReader, signal)));
  return withOrigins(repos, states);
}

/** The states of the metadata that a solver has used, as it lies in its cache; null when that of one cannot be told. */
export async function usedRepoStates(repos: readonly PackageRepo[], cache: string): Promise<string | null> {
  const states = repos.map(async ({ id }) => {
    const path = join(cache, fromKept(`${id}/repodata/repomd.xml`, repos));
    const left = await readLeftFile(path, mostBytes).catch(() => null);
    return left === null ? null : parseRepoState(left.toString('utf8'));
  });
  return withOrigins(repos, await Promise.all(states));
}

/** What one server says is told apart from what another says. */
function withOrigins(repos: readonly PackageRepo[], states: readonly (string | null)[]): string | null {
  if (states.includes(null)) return null;
  return [...originsOf(repos).servers.map((server) => `at ${server}`), ...states].join('\n');
}

/**
 * A text that is the same for repos with the same packages, groups and modules: the digests of those parts, by which the
 * solver checks what it reads. Not repomd.xml itself, which has a new revision each time a repo is made, and not what it says
 * of the parts when they are unpacked, which nobody checks. Null when it cannot be told; the solver then says what is wrong with
 * the repo.
 */
export async function readRepoState(
  repoUrls: readonly string[],
  urls: Fetcher,
  signal: AbortSignal,
): Promise<string | null> {
  for (const url of repoUrls) {
    try {
      const bytes = await urls.read(joinUrl(url, 'repodata/repomd.xml'), { most: mostBytes, signal });
      const state = parseRepoState(bytes.toString('utf8'));
      if (state !== null) return state;
    } catch {
      signal.throwIfAborted();
    }
  }
  return null;
}

/** The same of a `repomd.xml`, or null when that does not name a primary part, or one by a digest that proves nothing. */
export function parseRepoState(repomd: string): string | null {
  const digests = new Map<string, string>();
  let isWeak = false;
  const parser = new SaxesParser();
  let part = '';
  let kind = '';
  let text = '';
  parser.on('opentag', ({ name, attributes }) => {
    if (name === 'data') part = attributes['type'] ?? '';
    kind = attributes['type'] ?? '';
    text = '';
  });
  parser.on('text', (more) => {
    text += more;
  });
  parser.on('closetag', ({ name }) => {
    if (name !== 'checksum' || !decisive.test(part)) return;
    // Of two with one name it is not known which the solver takes.
    if (digests.has(part) || !strongKinds.includes(kind)) isWeak = true;
    digests.set(part, `${kind}:${text.trim()}`);
  });
  try {
    parser.write(repomd).close();
  } catch {
    return null;
  }
  if (isWeak || !digests.has('primary')) return null;
  return [...digests]
    .map(([name, digest]) => `${name}=${digest}`)
    .sort()
    .join(' ');
}

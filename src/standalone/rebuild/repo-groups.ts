import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import { SaxesParser } from 'saxes';
import type { PackageRepo } from '../../buildroot/plan/repos.ts';
import { originsOf } from '../../buildroot/solve/repo-places.ts';
import type { Fetcher } from '../../cache/fetcher.ts';
import { metadataUrl } from '../../cache/repo-urls.ts';
import { BuilderError, describeError } from '../../core/errors.ts';

/** A repo that was named is none, or has not what was asked of it. */
export class BadRepo extends BuilderError {
  constructor(message: string, options?: ErrorOptions) {
    super('bad-repo', 'request', message, options);
  }
}

/** Of repomd.xml and of groups, packed or not; the largest of distributions have a few. */
const mostBytes = 64 * 1024 * 1024;

const decompressors: Readonly<Record<string, (packed: Buffer) => Promise<Buffer>>> = {
  '.xml': async (plain) => plain,
  '.gz': (packed) => promisify(gunzip)(packed, { maxOutputLength: mostBytes }),
  '.zst': (packed) => promisify(zstdDecompress)(packed, { maxOutputLength: mostBytes }),
};

/**
 * Throws `BadRepo` when one of the repos cannot be read, or none of them has the group. Where the groups are packed in a
 * way that is not read here, the solver is left to say so.
 */
export async function checkGroup(
  group: string,
  repos: readonly PackageRepo[],
  urlReader: Fetcher,
  signal: AbortSignal,
): Promise<void> {
  const groups = await readGroups(repos, urlReader, signal);
  if (groups === null || groups.includes(group)) return;
  const where = repos.length === 1 ? 'the repo has no' : 'none of the repos has a';
  const have =
    groups.length === 0
      ? 'nor any other group'
      : `but ${groups.map((name) => JSON.stringify(name)).join(', ')}`;
  throw new BadRepo(
    `${where} package group ${JSON.stringify(group)}, ${have}: name the group that a buildroot starts from with --group, or its packages with --packages`,
  );
}

/** Names of the groups of all repos; null when those of one cannot be told. Throws `BadRepo` for what is no repo. */
export async function readGroups(
  repos: readonly PackageRepo[],
  urlReader: Fetcher,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  const found = new Set<string>();
  const origins = originsOf(repos);
  for (const url of repos.flatMap(({ urls }) => urls)) {
    const read = (part: Part): Promise<Buffer> =>
      urlReader.read(metadataUrl(part.base ?? url, part.href, origins), { most: mostBytes, origins, signal });
    let comps: Buffer;
    try {
      const places = groupFiles((await read({ href: 'repodata/repomd.xml', base: null })).toString('utf8'));
      if (places.length === 0) continue;
      const place = places.find(({ href }) => decompressorOf(href) !== undefined);
      if (place === undefined) return null;
      const packed = await read(place);
      comps = await (decompressorOf(place.href) ?? (async (as) => as))(packed);
      for (const id of groupIds(comps.toString('utf8'))) found.add(id);
    } catch (error) {
      signal.throwIfAborted();
      throw new BadRepo(`${url} is not a usable repo: ${describeError(error)}`, {
        cause: error,
      });
    }
  }
  return [...found].sort();
}

function decompressorOf(path: string) {
  return decompressors[path.slice(path.lastIndexOf('.'))];
}

/** Where a part of the metadata is, relative to a URL of its own or to the repo's. */
interface Part {
  readonly href: string;
  readonly base: string | null;
}

/** Where `repomd.xml` says that groups lie. Throws for what is no XML. */
function groupFiles(repomd: string): readonly Part[] {
  const places: Part[] = [];
  let type = '';
  const parser = new SaxesParser();
  parser.on('opentag', ({ name, attributes }) => {
    if (name === 'data') type = attributes['type'] ?? '';
    const href = attributes['href'];
    if (name === 'location' && href !== undefined && /^group(_|$)/.test(type))
      places.push({ href, base: attributes['xml:base'] ?? null });
  });
  parser.write(repomd).close();
  return places;
}

/** The ids of the groups of a comps file. Throws for what is no XML. */
export function groupIds(comps: string): readonly string[] {
  const ids: string[] = [];
  const path: string[] = [];
  let text = '';
  const parser = new SaxesParser();
  parser.on('opentag', ({ name }) => {
    path.push(name);
    text = '';
  });
  parser.on('text', (more) => {
    text += more;
  });
  parser.on('closetag', () => {
    if (path.join('/') === 'comps/group/id') ids.push(text.trim());
    path.pop();
  });
  parser.write(comps).close();
  return ids;
}

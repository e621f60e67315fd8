import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { SaxesParser } from 'saxes';
import { BuilderError, describeError } from '../../core/errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import type { ExternalRepo } from '../../hub/api/schema.ts';
import { externalUrl } from '../../hub/external-repos.ts';
import type { HubFiles } from '../../hub/files.ts';
import { formatNvra, parseNvra } from '../../rpm/nvr.ts';
import { BuildrootUnavailable } from '../errors.ts';
import type { InstalledPackage, ListedPackage } from '../root/installed-packages.ts';

/** URL of the repo that each package of a merged repo came from, by name-version-release.arch. */
export type PackageOrigins = ReadonlyMap<string, string>;

/** A package of the root comes from no repo of the tag; Koji's fault 1005. */
export class UnknownOrigin extends BuilderError {
  override readonly faultCode = faultCodes.build;

  constructor(message: string) {
    super('unknown-origin', 'external', message);
  }
}

/** What tells external packages from the hub's own, in a repo that was merged. */
export interface MergedRepo {
  readonly repoId: number;
  readonly arch: string;
  readonly externals: readonly ExternalRepo[];
  readonly origins: PackageOrigins;
}

/**
 * Gives every package that came from an external repo that repo's id. Packages of the hub stay as they
 * are: their origin is the repo that was merged into, wherever its builder kept it. Throws
 * `UnknownOrigin` for a package of neither (`builder/kojid markExternalRPMs`).
 */
export function markExternal(
  installed: readonly InstalledPackage[],
  { repoId, arch, externals, origins }: MergedRepo,
): readonly ListedPackage[] {
  const byUrl = new Map(externals.map((repo) => [externalUrl(repo, arch), repo]));
  return installed.map((one) => {
    const nvra = formatNvra(one);
    const url = origins.get(nvra);
    if (url === undefined) throw new UnknownOrigin(`No origin for ${nvra}`);
    const repo = byUrl.get(url);
    if (repo !== undefined) return { ...one, location: repo.id };
    if (url.startsWith('file://') && url.endsWith(`/repo_${repoId}_premerge/`)) return one;
    throw new UnknownOrigin(`Unknown origin for ${nvra}: ${url}`);
  });
}

/** Reads `pkgorigins`: a package and its repo's URL in each line; of two lines for a package the last counts. */
export function parseOrigins(text: string): PackageOrigins {
  const origins = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [name, url] = line.trim().split(/\s+/);
    if (name === undefined || url === undefined) continue;
    origins.set(formatNvra(parseNvra(name)), url);
  }
  return origins;
}

/** Where, relative to the repo, `repomd.xml` says the origins lie; null when it names none. Throws for what is no XML. */
export function findOrigins(repomd: string): string | null {
  let found: string | null = null;
  let type: string | undefined;
  const parser = new SaxesParser();
  parser.on('opentag', ({ name, attributes }) => {
    if (name === 'data') type = attributes['type'];
    if (name === 'location' && type === 'origin') found = attributes['href'] ?? null;
  });
  parser.write(repomd).close();
  return found;
}

/** Reads the origins of the repo at `place`, relative to the hub's tree. Throws `BuildrootUnavailable` when they are not there or no such. */
export async function readOrigins(
  files: HubFiles,
  place: string,
  signal: AbortSignal,
): Promise<PackageOrigins> {
  const repomd = `${place}/repodata/repomd.xml`;
  const text = await files.text(repomd, signal);
  const path = await orUnavailable(repomd, () => findOrigins(text));
  if (path === null) {
    throw new BuildrootUnavailable(
      `${repomd} names no origins of packages, although the tag has external repos; the repo has to be made again`,
    );
  }
  const packed = await buffer(await files.open(`${place}/${path}`, signal));
  return orUnavailable(`${place}/${path}`, async () =>
    parseOrigins((await promisify(gunzip)(packed)).toString('utf8')),
  );
}

async function orUnavailable<T>(path: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new BuildrootUnavailable(
      `${path} cannot be read (${describeError(error)}); the repo has to be made again`,
      { cause: error },
    );
  }
}

import type { RepoInfo } from '../../hub/api/repo-schema.ts';
import { type ReposApi, TaggedPackage } from '../../hub/api/repos.ts';
import type { ExternalRepo } from '../../hub/api/schema.ts';
import { HubFileError, type HubFiles } from '../../hub/files.ts';
import { BuildrootUnavailable } from '../errors.ts';
import {
  type InstalledPackage,
  type ListedPackage,
  mapInternal,
  type RepoPackage,
} from '../root/installed-packages.ts';
import { type MergedRepo, markExternal, readOrigins } from './package-origins.ts';

/** A repo of an arch, and where it lies below the hub's tree. */
export interface RepoPlace {
  readonly place: string;
  readonly repo: Pick<RepoInfo, 'id' | 'tagId' | 'createEvent'>;
  readonly arch: string;
  readonly externals: readonly ExternalRepo[];
}

/** What a repo's metadata tells of its packages, for one arch. */
export interface RepoContent {
  /** Packages of the hub. */
  readonly packages: readonly RepoPackage[];
  /** Null where the tag has no external repos. */
  readonly merged: MergedRepo | null;
}

/**
 * Reads it from the repo at `place`, relative to the hub's tree. Where the hub has left no list of the packages, its
 * drafts are asked for, as kojid does, and all others are known to it by their names. Rejects with
 * `BuildrootUnavailable` when the metadata is not there or no such.
 */
export async function readRepoContent(
  files: HubFiles,
  hub: Pick<ReposApi, 'draftPackages'>,
  { place, repo, arch, externals }: RepoPlace,
  signal: AbortSignal,
): Promise<RepoContent> {
  const [listed, origins] = await Promise.all([
    readRepoPackages(files, `${place}/rpmlist.jsonl`, signal),
    externals.length === 0 ? null : readOrigins(files, place, signal),
  ]);
  return {
    packages: listed ?? (await hub.draftPackages(repo, signal)),
    merged: origins === null ? null : { repoId: repo.id, arch, externals, origins },
  };
}

/** The packages of a root as the hub wants them listed: from which external repo, or with their id. */
export function listPackages(
  installed: readonly InstalledPackage[],
  { packages, merged }: RepoContent,
): readonly ListedPackage[] {
  return mapInternal(merged === null ? installed : markExternal(installed, merged), packages);
}

/**
 * Reads the list of the packages a repo has for an arch, which the hub has written beside it; null when there is
 * none, as in repos made by hubs before 1.34. Throws `BuildrootUnavailable` when it is not one.
 */
async function readRepoPackages(
  files: HubFiles,
  path: string,
  signal: AbortSignal,
): Promise<readonly RepoPackage[] | null> {
  let text: string;
  try {
    text = await files.text(path, signal);
  } catch (error) {
    if (!(error instanceof HubFileError && error.missing)) throw error;
    return null;
  }
  return parseRepoPackages(text, path);
}

/** Reads the list itself, a package in each line; `path` is for messages. Throws `BuildrootUnavailable`. */
export function parseRepoPackages(text: string, path: string): readonly RepoPackage[] {
  return text
    .split('\n')
    .flatMap((line, index) => (line === '' ? [] : [parseLine(line, `${path}:${index + 1}`)]));
}

function parseLine(line: string, place: string): RepoPackage {
  try {
    return TaggedPackage.parse(JSON.parse(line));
  } catch (error) {
    throw new BuildrootUnavailable(`${place} does not describe a package; the repo has to be made again`, {
      cause: error,
    });
  }
}

import type { HubFiles } from '../hub/files.ts';
import type { ExternalRepo } from '../hub/schema.ts';
import {
  type InstalledPackage,
  type ListedPackage,
  mapInternal,
  type RepoPackage,
} from './installed-packages.ts';
import { type MergedRepo, markExternal, readOrigins } from './package-origins.ts';
import { readRepoPackages } from './repo-packages.ts';

/** What a repo's metadata tells of its packages, for one arch. */
export interface RepoContent {
  /** Packages of the hub. */
  readonly packages: readonly RepoPackage[];
  /** Null where the tag has no external repos. */
  readonly merged: MergedRepo | null;
}

/** Reads it from the repo at `place`, relative to the hub's tree. Rejects with `BuildrootUnavailable` when it is not there or no such. */
export async function readRepoContent(
  files: HubFiles,
  place: string,
  { repoId, arch, externals }: { repoId: number; arch: string; externals: readonly ExternalRepo[] },
  signal: AbortSignal,
): Promise<RepoContent> {
  const [packages, origins] = await Promise.all([
    readRepoPackages(files, `${place}/rpmlist.jsonl`, signal),
    externals.length === 0 ? null : readOrigins(files, place, signal),
  ]);
  return { packages, merged: origins === null ? null : { repoId, arch, externals, origins } };
}

/** The packages of a root as the hub wants them listed: from which external repo, or with their id. */
export function listPackages(
  installed: readonly InstalledPackage[],
  { packages, merged }: RepoContent,
): readonly ListedPackage[] {
  return mapInternal(merged === null ? installed : markExternal(installed, merged), packages);
}

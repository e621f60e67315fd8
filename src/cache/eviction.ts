import type { FailedRoots } from './failed-roots.ts';
import type { MetadataCache } from './metadata-cache.ts';
import type { PackageCache } from './package-cache.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import type { SolverCache } from './solver-cache.ts';

/** How much may lie in the cache. */
export interface CacheBudget {
  readonly snapshotBytes: number;
  /** Of packages, and of metadata of repos. */
  readonly packageBytes: number;
  /** Of roots of failed builds. */
  readonly failedBytes: number;
  /** Answers of the solver, each a few kilobytes. */
  readonly solutions: number;
}

export interface CacheParts {
  readonly snapshots: SnapshotStore;
  readonly packages: PackageCache;
  readonly solutions: SolverCache;
  readonly metadata: MetadataCache;
  readonly failed: FailedRoots;
}

/** What a look at the cache has found, and what was removed. */
export interface CacheReport {
  readonly snapshots: { readonly count: number; readonly bytes: number; readonly removed: number };
  readonly packages: { readonly count: number; readonly bytes: number; readonly removed: number };
  readonly failed: { readonly count: number; readonly bytes: number; readonly removed: number };
}

/**
 * Removes what was not used for the longest time until the rest is within the budget. What is in use stays, and so
 * does what was just used: a budget that is smaller than what the running tasks need is exceeded for a while.
 */
export async function trimCache(
  { snapshots, packages, solutions, metadata, failed }: CacheParts,
  budget: CacheBudget,
  signal: AbortSignal,
): Promise<CacheReport> {
  await solutions.trim(budget.solutions);
  const expired = await failed.expire();
  // First: they hold the snapshots that they were made on.
  const looked = await trim(await failed.list(), budget.failedBytes, (root) => failed.remove(root), signal);
  const roots = await trim(
    (await snapshots.list(signal)).map(({ key, ownBytes, usedMs }) => ({ bytes: ownBytes, usedMs, key })),
    budget.snapshotBytes,
    ({ key }) => snapshots.forget(key),
    signal,
  );
  const fetched = [
    ...(await packages.list()).map((file) => ({
      bytes: file.sizeBytes,
      usedMs: file.usedMs,
      remove: () => packages.remove(file),
    })),
    ...(await metadata.list()).map((one) => ({
      bytes: one.sizeBytes,
      usedMs: one.usedMs,
      remove: async () => {
        await metadata.remove(one);
        return true;
      },
    })),
  ];
  const files = await trim(fetched, budget.packageBytes, (one) => one.remove(), signal);
  const failedRoots = { ...looked, removed: looked.removed + expired };
  return { snapshots: roots, packages: files, failed: failedRoots };
}

/** What is less than this is not halved any more but goes as a whole. */
const smallestHalf = 2 ** 20;

/** Removes half of what may be removed, by size, least recently used first. For a disk that is nearly full. */
export async function halveCache(parts: CacheParts, signal: AbortSignal): Promise<CacheReport> {
  const half = (sizes: readonly number[]) => {
    const bytes = sizes.reduce((sum, size) => sum + size, 0) / 2;
    return bytes < smallestHalf ? 0 : bytes;
  };
  const [snapshots, packages, metadata, failed] = await Promise.all([
    parts.snapshots.list(signal),
    parts.packages.list(),
    parts.metadata.list(),
    parts.failed.list(),
  ]);
  const budget = {
    snapshotBytes: half(snapshots.map(({ ownBytes }) => ownBytes)),
    packageBytes: half([...packages, ...metadata].map(({ sizeBytes }) => sizeBytes)),
    failedBytes: half(failed.map(({ bytes }) => bytes)),
    solutions: Number.POSITIVE_INFINITY,
  };
  return trimCache(parts, budget, signal);
}

async function trim<T extends { readonly bytes: number; readonly usedMs: number }>(
  all: readonly T[],
  mostBytes: number,
  remove: (one: T) => Promise<boolean>,
  signal: AbortSignal,
): Promise<{ readonly count: number; readonly bytes: number; readonly removed: number }> {
  let bytes = all.reduce((sum, one) => sum + one.bytes, 0);
  let removed = 0;
  for (const one of all.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (bytes <= mostBytes) break;
    signal.throwIfAborted();
    if (!(await remove(one))) continue;
    bytes -= one.bytes;
    removed += 1;
  }
  return { count: all.length - removed, bytes, removed };
}

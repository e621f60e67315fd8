import type { FailedRoots } from '../cache/failed-roots.ts';
import type { MetadataCache } from '../cache/metadata-cache.ts';
import type { PackageCache } from '../cache/package-cache.ts';
import type { SnapshotStore } from '../cache/snapshot-store.ts';
import type { Clock } from '../core/clock.ts';
import type { BuilderMetrics } from './builder-metrics.ts';

/** How long the sizes count: to find them, the engine is asked and a directory is read. */
const countsMs = 60_000;
/** How long the engine may take for that. */
const answerMs = 10_000;

interface SizedCache {
  readonly snapshots: SnapshotStore;
  readonly packages: PackageCache;
  readonly metadata: MetadataCache;
  readonly failed: FailedRoots;
}

/** Keeps the gauges of the cache's sizes as true as a minute ago. */
export class CacheGauges {
  readonly #metrics: BuilderMetrics;
  readonly #cache: SizedCache;
  readonly #clock: Clock;
  #lookedMs: number | null = null;

  constructor(metrics: BuilderMetrics, cache: SizedCache, clock: Clock) {
    this.#metrics = metrics;
    this.#cache = cache;
    this.#clock = clock;
  }

  async refresh(): Promise<void> {
    const nowMs = this.#clock.now();
    if (this.#lookedMs !== null && nowMs - this.#lookedMs < countsMs) return;
    this.#lookedMs = nowMs;
    const { snapshots, packages, metadata, failed } = this.#cache;
    const roots = await snapshots.list(AbortSignal.timeout(answerMs));
    const files = [...(await packages.list()), ...(await metadata.list())];
    const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
    const kept = await failed.list();
    const metrics = this.#metrics;
    metrics.set('koji_adjutant_snapshots', {}, roots.length);
    metrics.set('koji_adjutant_snapshot_bytes', {}, sum(roots.map(({ ownBytes }) => ownBytes)));
    metrics.set('koji_adjutant_failed_buildroots', {}, kept.length);
    metrics.set('koji_adjutant_failed_buildroot_bytes', {}, sum(kept.map(({ bytes }) => bytes)));
    metrics.set('koji_adjutant_packages', {}, files.length);
    metrics.set('koji_adjutant_package_bytes', {}, sum(files.map(({ sizeBytes }) => sizeBytes)));
  }
}

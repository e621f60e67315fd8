import type { FailedRoots } from '../cache/failed-roots.ts';
import type { MetadataCache } from '../cache/metadata-cache.ts';
import type { PackageCache } from '../cache/package-cache.ts';
import type { SnapshotStore } from '../cache/snapshot-store.ts';
import type { Clock } from '../core/clock.ts';
import type { Metrics } from './metrics.ts';

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
  readonly #metrics: Metrics;
  readonly #cache: SizedCache;
  readonly #clock: Clock;
  #lookedMs: number | null = null;

  constructor(metrics: Metrics, cache: SizedCache, clock: Clock) {
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
    const set = (name: string, value: number) => this.#metrics.set(`koji_adjutant_${name}`, {}, value);
    set('snapshots', roots.length);
    set(
      'snapshot_bytes',
      roots.reduce((sum, { ownBytes }) => sum + ownBytes, 0),
    );
    const kept = await failed.list();
    set('failed_buildroots', kept.length);
    set(
      'failed_buildroot_bytes',
      kept.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    set('packages', files.length);
    set(
      'package_bytes',
      files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    );
  }
}

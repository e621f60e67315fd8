import { type CacheParts, halveCache } from '../../cache/eviction.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { HostProbe } from './host-probe.ts';

type Probe = Pick<HostProbe, 'look'>;

/** How long nothing is tried any more when there was nothing to be freed. */
const pauseMs = 5 * 60_000;

/**
 * A probe that frees what may be freed when there is less room than `minspace`: half of what was prepared before and is
 * not in use, least recently used first, and half of the rest the next time. In the background: looking does not wait.
 */
export class DiskPressure implements Probe {
  readonly #probe: Probe;
  readonly #cache: CacheParts;
  readonly #clock: Clock;
  readonly #log: Logger;
  #freeing: Promise<void> | null = null;
  #notBeforeMs = 0;

  constructor(probe: Probe, cache: CacheParts, clock: Clock, log: Logger) {
    this.#probe = probe;
    this.#cache = cache;
    this.#clock = clock;
    this.#log = log;
  }

  async look(signal: AbortSignal): ReturnType<Probe['look']> {
    const seen = await this.#probe.look(signal);
    const isShort = [...seen.freeBytes.values()].some((free) => free < seen.minSpaceBytes);
    if (isShort && this.#freeing === null && this.#clock.uptime() >= this.#notBeforeMs) {
      this.#freeing = this.#free(signal).finally(() => {
        this.#freeing = null;
      });
    }
    return seen;
  }

  /** Never rejects. */
  async #free(signal: AbortSignal): Promise<void> {
    try {
      const { snapshots, packages, failed } = await halveCache(this.#cache, signal);
      if (snapshots.removed + packages.removed + failed.removed === 0)
        this.#notBeforeMs = this.#clock.uptime() + pauseMs;
      else this.#log.warn({ snapshots, packages, failed }, 'free space below minspace: trimmed the caches');
    } catch (error) {
      if (signal.aborted) return;
      this.#notBeforeMs = this.#clock.uptime() + pauseMs;
      this.#log.warn({ err: error }, 'free space below minspace: trimming the caches failed');
    }
  }
}

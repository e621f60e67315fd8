import type { Clock } from '../core/clock.ts';
import { WakeSignal } from '../core/wake-signal.ts';

/** Pauses between polls while new work is likely; idle, the configured pause is used. */
const eagerPausesMs = [
  ...[250, 500, 500, 500, 500, 500, 500, 500],
  ...[1000, 1500, 2000, 2000, 3000, 3000, 5000, 5000, 5000],
];

/** The rhythm of the poll loop: often for a while after something has happened, rarely when nothing does. */
export class PollBackoff {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #kick = new WakeSignal();
  #kicked = false;
  #step = 0;

  /** `idleMs` is kojid's `sleeptime`: no pause is longer. */
  constructor(clock: Clock, idleMs: number) {
    this.#clock = clock;
    this.#idleMs = idleMs;
  }

  /**
   * Something has happened after which the hub is likely to have work: the pause of now, or the next one,
   * ends at once, and those behind it are short.
   */
  expectWork(): void {
    this.#step = 0;
    this.#kicked = true;
    this.#kick.wake();
  }

  /** A round has failed: hurrying gains nothing. */
  slowDown(): void {
    this.#step = eagerPausesMs.length;
  }

  /** Resolves when the next round is due, or the signal is aborted. At most one caller at a time. */
  async pause(signal: AbortSignal): Promise<void> {
    if (!this.#kicked) {
      const pauseMs = Math.min(eagerPausesMs[this.#step] ?? this.#idleMs, this.#idleMs);
      this.#step += 1;
      const over = new AbortController();
      const either = AbortSignal.any([signal, over.signal]);
      try {
        await Promise.race([this.#kick.next(either), this.#clock.sleep(pauseMs, either)]);
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        over.abort();
      }
    }
    this.#kicked = false;
  }
}

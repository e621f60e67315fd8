import { setTimeout as delay } from 'node:timers/promises';

/** Time as the daemon sees it; tests pass their own clock, so that nothing waits for real. */
export interface Clock {
  /** Milliseconds since the epoch. Jumps when the machine's clock is set: for dates, and what is compared with the hub's. */
  now(): number;
  /** Milliseconds since some moment of this boot, the same in each process. Runs evenly: for everything that takes time. */
  uptime(): number;
  /** Resolves after `ms`; rejects with `signal.reason` when the signal is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Node takes a longer timer for one of a millisecond. */
const longestTimerMs = 2 ** 31 - 1;

/** The machine's own clock. Only a composition root creates a use of it. */
export const systemClock: Clock = {
  now: () => Date.now(),
  uptime: () => Number(process.hrtime.bigint()) / 1e6,
  async sleep(ms, signal) {
    signal?.throwIfAborted();
    try {
      for (let leftMs = ms; ; leftMs -= longestTimerMs) {
        await delay(Math.min(leftMs, longestTimerMs), undefined, signal === undefined ? {} : { signal });
        if (leftMs <= longestTimerMs) return;
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};

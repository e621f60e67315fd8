import type { Clock } from '../../core/clock.ts';

interface Sum {
  count: number;
  ms: number;
  bytes: number;
}

/** What a session has asked of the hub and how long the hub took: the log's answer to "where did the time go?". */
export class SessionStats {
  readonly #clock: Clock;
  readonly #calls: Sum = { count: 0, ms: 0, bytes: 0 };
  readonly #uploads: Sum = { count: 0, ms: 0, bytes: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one exchange with the hub, successful or not. */
  async time<T>(kind: 'calls' | 'uploads', bytes: number, exchange: () => Promise<T>): Promise<T> {
    const sum = kind === 'calls' ? this.#calls : this.#uploads;
    const startedMs = this.#clock.uptime();
    try {
      return await exchange();
    } finally {
      sum.count += 1;
      sum.ms += this.#clock.uptime() - startedMs;
      sum.bytes += bytes;
    }
  }

  sums() {
    const { count: calls, ms: callMs } = this.#calls;
    const { count: uploads, ms: uploadMs, bytes: uploadedBytes } = this.#uploads;
    return { calls, callMs, uploads, uploadMs, uploadedBytes };
  }
}

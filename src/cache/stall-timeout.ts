import type { Clock } from '../core/clock.ts';

/** Gives up on a peer that is silent for too long: `signal` is aborted with an error that says so. */
export class StallTimeout {
  readonly #clock: Clock;
  readonly #longestMs: number;
  readonly #silent = new AbortController();
  readonly #over = new AbortController();
  /** Since when we listen; null while no data is expected. */
  #sinceMs: number | null;

  /** Listens from now on. */
  constructor(clock: Clock, longestMs: number) {
    this.#clock = clock;
    this.#longestMs = longestMs;
    this.#sinceMs = clock.uptime();
    void this.#watch().catch(() => undefined);
  }

  get signal(): AbortSignal {
    return this.#silent.signal;
  }

  /** Something is expected from now on. */
  listen(): void {
    this.#sinceMs = this.#clock.uptime();
  }

  /** Nothing is expected for now. */
  pause(): void {
    this.#sinceMs = null;
  }

  /** Nothing is expected any more. Repeatable. */
  over(): void {
    this.#over.abort();
  }

  /** One sleeper for the whole transfer, not one for each piece of it. Ends when it is over. */
  async #watch(): Promise<void> {
    for (;;) {
      const sinceMs = this.#sinceMs ?? this.#clock.uptime();
      const leftMs = sinceMs + this.#longestMs - this.#clock.uptime();
      if (leftMs <= 0) break;
      await this.#clock.sleep(leftMs, this.#over.signal);
    }
    this.#silent.abort(new Error(`the server has sent nothing for ${this.#longestMs / 1000} s`));
  }
}

import type { Clock } from '../../src/core/clock.ts';

/** A clock that stands still but for its sleeps, which take no real time and are all recorded. */
export class FakeClock implements Clock {
  readonly slept: number[] = [];
  #now: number;

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  uptime(): number {
    return this.#now;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.slept.push(ms);
    this.#now += ms;
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
}

import type { Clock } from '../../src/core/clock.ts';

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

/** A clock whose time only a test moves. */
export class ManualClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1);
  readonly #sleepers = new Set<Sleeper>();
  #changed = Promise.withResolvers<void>();

  now(): number {
    return this.#nowMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const done = Promise.withResolvers<void>();
    const sleeper = { untilMs: this.#nowMs + ms, wake: done.resolve };
    const abort = () => done.reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    this.#sleepers.add(sleeper);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    try {
      await done.promise;
    } finally {
      this.#sleepers.delete(sleeper);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** How many are asleep now. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Resolves as soon as somebody sleeps. */
  async asleep(): Promise<void> {
    while (this.#sleepers.size === 0) await this.#changed.promise;
  }

  /** Moves the time on, wakes those whose time has come, and lets them run until they wait again. */
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const { untilMs, wake } of this.#sleepers) if (untilMs <= this.#nowMs) wake();
    await new Promise(setImmediate);
  }
}

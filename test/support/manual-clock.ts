import type { Clock } from '../../src/core/clock.ts';

interface Sleeper {
  readonly ms: number;
  readonly untilMs: number;
  readonly wake: () => void;
}

/** A clock whose time only a test moves. */
export class ManualClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1);
  #setByMs = 0;
  readonly #sleepers = new Set<Sleeper>();
  #changed = Promise.withResolvers<void>();

  now(): number {
    return this.#nowMs + this.#setByMs;
  }

  uptime(): number {
    return this.#nowMs;
  }

  /** Somebody sets the machine's clock on, or with a negative number back. */
  set(byMs: number): void {
    this.#setByMs += byMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const done = Promise.withResolvers<void>();
    const sleeper = { ms, untilMs: this.#nowMs + ms, wake: done.resolve };
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

  /** Resolves as soon as somebody sleeps; for exactly this long when it is given. */
  async asleep(ms?: number): Promise<void> {
    const isSought = (sleeper: Sleeper) => ms === undefined || sleeper.ms === ms;
    while (![...this.#sleepers].some(isSought)) await this.#changed.promise;
  }

  /** Moves the time on: wakes those whose time has come, in order, and lets each run until it waits again. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#sleepers].sort((a, b) => a.untilMs - b.untilMs);
      if (next === undefined || next.untilMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.untilMs);
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
}

import type { Clock } from '../core/clock.ts';
import type { BuilderEvents } from '../daemon/events.ts';

/** How long there may be no successful round with the hub before an operator should look. */
const longestQuietMs = 5 * 60_000;

/** Whether the daemon does what it is there for: it speaks with its hub. A host that wants no task is well. */
export class Health {
  readonly #clock: Clock;
  #heardMs: number;
  #stopping = false;

  constructor(events: BuilderEvents, clock: Clock) {
    this.#clock = clock;
    this.#heardMs = clock.uptime();
    events.on('poll:done', () => {
      this.#heardMs = clock.uptime();
    });
    events.on('daemon:stopping', () => {
      this.#stopping = true;
    });
  }

  /** Why not, or null. */
  whyNotWell(): string | null {
    if (this.#stopping) return 'the daemon is stopping';
    const quietMs = this.#clock.uptime() - this.#heardMs;
    return quietMs > longestQuietMs
      ? `no successful round with the hub for ${Math.round(quietMs / 1000)} s`
      : null;
  }
}

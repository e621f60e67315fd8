import type { TaskContext } from '../adapter.ts';
import { faultCode, TaskFault } from '../errors.ts';

/** How long a repo may take before the task fails (`koji/tasks.py WaitrepoTask`). */
const timeoutMs = 120 * 60_000;
/** Pauses between looks at the hub: short at first, since most repos take seconds, then kojid's minute. */
const firstPauseMs = 2_000;
const lastPauseMs = 60_000;

/** The pauses of one waiting task. */
export class Pauses {
  readonly #startedMs: number;
  #pauseMs = firstPauseMs;

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
  }

  /** Sleeps, a little longer each time; throws when the whole wait has taken too long. */
  async next({ clock, signal, waits }: TaskContext, what: () => string): Promise<void> {
    const waitedMs = clock.uptime() - this.#startedMs;
    if (waitedMs > timeoutMs) {
      const minutes = Math.floor(waitedMs / 60_000);
      const seconds = String(Math.floor(waitedMs / 1000) % 60).padStart(2, '0');
      throw new TaskFault(
        faultCode.generic,
        'external',
        `Unsuccessfully waited ${minutes}:${seconds} for ${what()}`,
      );
    }
    await waits.during(what, () => clock.sleep(this.#pauseMs, signal), { sinceMs: this.#startedMs });
    this.#pauseMs = Math.min(lastPauseMs, this.#pauseMs * 1.5);
  }
}

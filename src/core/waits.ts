import type { Clock } from './clock.ts';

/** Something that is being waited for. */
export interface Wait {
  /** In words for people: `the end of container x (choose packages for @build)`. */
  readonly what: string;
  /** How long for, in milliseconds. */
  readonly ms: number;
  /** More about it, which takes a look: the state of a container and what its processes do. */
  readonly details: string | null;
}

export interface WaitOptions {
  /** Takes a closer look when asked. Must not reject. */
  readonly details?: () => Promise<string>;
  /** Uptime of the clock at which the wait began, where that was before this call. */
  readonly sinceMs?: number;
}

/** Where one task records what it waits for. */
export interface TaskWaits {
  /**
   * Runs `work`, and says meanwhile what is waited for. `what` is asked again each time waits are reported, so that it may
   * count. What `work` ends with is passed on.
   */
  during<T>(what: string | (() => string), work: () => Promise<T>, options?: WaitOptions): Promise<T>;
}

interface Entry {
  readonly taskId: number | null;
  readonly what: string | (() => string);
  readonly sinceMs: number;
  readonly details: (() => Promise<string>) | undefined;
}

/** What the tasks of this process wait for, and since when: the answer when one of them does not seem to make progress. */
export class Waits {
  readonly #clock: Clock;
  readonly #entries = new Set<Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For one task; `null` for what is done for none in particular. */
  of(taskId: number | null): TaskWaits {
    return {
      during: async (what, work, { details, sinceMs = this.#clock.uptime() } = {}) => {
        const entry: Entry = { taskId, what, sinceMs, details };
        this.#entries.add(entry);
        try {
          return await work();
        } finally {
          this.#entries.delete(entry);
        }
      },
    };
  }

  /** The tasks that wait for something, in order; `null` last, when anything is waited for outside of tasks. */
  get tasks(): readonly (number | null)[] {
    const ids = [...new Set([...this.#entries].map(({ taskId }) => taskId))];
    return ids.sort((a, b) => (a ?? Number.POSITIVE_INFINITY) - (b ?? Number.POSITIVE_INFINITY));
  }

  /** What a task waits for now, the longest wait first; with `null` what is waited for outside of tasks. */
  async list(taskId: number | null): Promise<readonly Wait[]> {
    const now = this.#clock.uptime();
    const own = [...this.#entries].filter((entry) => entry.taskId === taskId);
    own.sort((a, b) => a.sinceMs - b.sinceMs);
    return Promise.all(
      own.map(async ({ what, sinceMs, details }) => ({
        what: typeof what === 'string' ? what : what(),
        ms: now - sinceMs,
        details: details === undefined ? null : await details(),
      })),
    );
  }
}

/** Where waits are not reported. */
export const noWaits: TaskWaits = { during: (_what, work) => work() };

/** `HEAD: waits for X since 1 min 4 s (DETAILS); for Y since 3.0 s`. */
export function describeWaits(head: string, waits: readonly Wait[]): string {
  const each = waits.map(({ what, ms, details }) => {
    const more = details === null ? '' : ` (${details})`;
    return `for ${what} since ${describeDuration(ms)}${more}`;
  });
  return each.length === 0 ? `${head}: waits for nothing that is known` : `${head}: waits ${each.join('; ')}`;
}

/** `0.4 s`, `32 s`, `12 min 4 s`, `3 h 7 min`. */
export function describeDuration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

import { faultCodes } from '../../core/koji-faults.ts';
import type { TaskContext } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import type { RepoNews } from '../repo-news.ts';

/** How long a repo may take before the task fails (`koji/tasks.py WaitrepoTask`). */
const timeoutMs = 120 * 60_000;
/** Pauses between looks at the hub: short at first, since most repos take seconds, then kojid's minute. */
const firstPauseMs = 2_000;
const lastPauseMs = 60_000;

/** The pauses of one waiting task. */
export class Pauses {
  readonly #startedMs: number;
  readonly #news: RepoNews;
  #seen: number;
  #pauseMs = firstPauseMs;

  /** Made before the first look at the hub. */
  constructor({ clock, repoNews }: Pick<TaskContext, 'clock' | 'repoNews'>) {
    this.#startedMs = clock.uptime();
    this.#news = repoNews;
    this.#seen = repoNews.count;
  }

  /**
   * Sleeps, a little longer each time, or until this host has made a repo; throws when the whole wait has taken too
   * long.
   */
  async next({ clock, signal, waits }: TaskContext, what: () => string): Promise<void> {
    const waitedMs = clock.uptime() - this.#startedMs;
    if (waitedMs > timeoutMs) {
      const minutes = Math.floor(waitedMs / 60_000);
      const seconds = String(Math.floor(waitedMs / 1000) % 60).padStart(2, '0');
      throw new TaskFault(
        faultCodes.generic,
        'external',
        `Unsuccessfully waited ${minutes}:${seconds} for ${what()}`,
      );
    }
    const over = new AbortController();
    const sleepOrNews = async () => {
      const sleep = clock.sleep(this.#pauseMs, AbortSignal.any([signal, over.signal]));
      await Promise.race([sleep, this.#news.beyond(this.#seen)]);
    };
    try {
      await waits.during(what, sleepOrNews, { sinceMs: this.#startedMs });
    } finally {
      over.abort();
    }
    this.#seen = this.#news.count;
    this.#pauseMs = Math.min(lastPauseMs, this.#pauseMs * 1.5);
  }
}

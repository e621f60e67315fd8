import type { LoadData } from '../../hub/api/load-data.ts';

/** A task that may be opened; what is known of it before. */
export type OfferedTask = Pick<LoadData['tasks'][number], 'id' | 'method'>;

type Host = LoadData['hosts'][number];

/**
 * Which tasks this host takes on hubs before 1.34, where hosts choose for themselves (`koji/daemon.py
 * getNextTask` of 1.33). All hosts follow these rules, so that the one with the most room left comes first: a
 * host waits the longer before it takes a task the lower it ranks among those that could, up to
 * `task_avail_delay` for the last. It remembers since when it has seen a task, no more.
 */
export class LegacyScheduler {
  readonly #delayMs: number;
  readonly #seenSinceMs = new Map<number, number>();

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** The tasks to try, in order. Nothing when the hub does not count this host among those that are ready. */
  offers({ hosts, tasks }: LoadData, hostId: number, nowMs: number): readonly OfferedTask[] {
    const own = hosts.find(({ id }) => id === hostId);
    if (own === undefined) return [];
    this.#forget(nowMs);
    return tasks.filter((task) => {
      if (task.assignedTo !== null) return task.assignedTo === hostId;
      const suits = (host: Host): boolean => canTake(host, task);
      if (!suits(own)) return false;
      const rank = rankOf(
        own.available,
        hosts.filter(suits).map(({ available }) => available),
      );
      const seenMs = this.#seenSinceMs.get(task.id) ?? nowMs;
      if (nowMs - seenMs < this.#delayMs * rank) {
        this.#seenSinceMs.set(task.id, seenMs);
        return false;
      }
      this.#seenSinceMs.delete(task.id);
      return true;
    });
  }

  /** After ten times the delay a task that is still not taken is not for this host. */
  #forget(nowMs: number): void {
    for (const [id, sinceMs] of this.#seenSinceMs)
      if (sinceMs < nowMs - this.#delayMs * 10) this.#seenSinceMs.delete(id);
  }
}

function canTake(host: Host, { arch, channelId }: LoadData['tasks'][number]): boolean {
  return (
    channelId !== null &&
    host.channels.includes(channelId) &&
    (arch === 'noarch' || host.arches.includes(arch))
  );
}

/** 0 for the host with the most room, 1 for the one with the least. */
function rankOf(own: number, all: readonly number[]): number {
  const better = all.filter((available) => available > own).length;
  return all.length > 1 ? better / (all.length - 1) : 0;
}

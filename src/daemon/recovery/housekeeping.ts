import { type CacheBudget, trimCache } from '../../cache/eviction.ts';
import { withDeadline } from '../../core/deadline.ts';
import { describeError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { BuildrootsApi } from '../../hub/api/buildroots.ts';
import type { TaskEnvironment } from '../run/task-runner.ts';
import { removeOrphans } from './orphan-cleanup.ts';

/** How often orphans are looked for while the daemon runs. */
const everyMs = 5 * 60_000;

export interface HousekeepingParts {
  readonly environment: TaskEnvironment;
  readonly cacheBudget: CacheBudget;
  readonly log: Logger;
  /** Whether the task runs here. */
  isRunning(taskId: number): boolean;
}

/** What no task owns, on this host and on the hub: looked for at the start and every few minutes. */
export class Housekeeping {
  readonly #parts: HousekeepingParts;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
  }

  /** Removes what a previous run has left on this host and is not resumed. */
  async afterStart(goingOn: ReadonlySet<number>, signal: AbortSignal): Promise<void> {
    const { cache, workerId } = this.#parts.environment.buildrootHost;
    await cache.failed.sweep(workerId, signal);
    await this.#removeOrphans((taskId) => goingOn.has(taskId), signal);
    await this.#sweepSnapshots(signal);
  }

  /** Expires the host's buildroots of tasks that do not run here. */
  async expireBuildroots(buildroots: BuildrootsApi, hostId: number, signal: AbortSignal): Promise<void> {
    const { isRunning, log } = this.#parts;
    await expireDeadBuildroots(buildroots, hostId, isRunning, log, signal);
  }

  /** Runs housekeeping every few minutes until the signal is aborted; a failure is only logged. */
  async keepTidy(buildroots: BuildrootsApi, hostId: number, signal: AbortSignal): Promise<void> {
    const { environment, log, isRunning } = this.#parts;
    while (!signal.aborted) {
      try {
        await environment.clock.sleep(everyMs, signal);
        await this.expireBuildroots(buildroots, hostId, signal);
        await this.#removeOrphans(isRunning, signal);
        await this.#trimCache(signal);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, 'housekeeping failed');
      }
    }
  }

  /**
   * Waits for what continues without a task: roots of failed builds that are being kept would be lost, containers on
   * their way out orphaned. `byMs` is an uptime of the clock; then it gives up.
   */
  async finishBackground(byMs: number): Promise<void> {
    const { environment, log } = this.#parts;
    const { cache, removals } = environment.buildrootHost;
    const leftMs = Math.max(0, byMs - environment.clock.uptime());
    await withDeadline(environment.clock, leftMs, 'finishing background work', async () => {
      await cache.failed.idle();
      await removals.idle();
    }).catch((error: unknown) => log.warn({ err: error }, 'background work not finished: deadline exceeded'));
  }

  async #removeOrphans(isRunning: (taskId: number) => boolean, signal: AbortSignal): Promise<void> {
    const { environment, log } = this.#parts;
    const { runtime, workDir, buildrootHost } = environment;
    const { workerId, removals, cache } = buildrootHost;
    await removeOrphans(
      { runtime, workDir, workerId, removals, failed: cache.failed, isRunning, log },
      signal,
    );
  }

  /** What is left of snapshots takes room, no more: a daemon that cannot remove it can work. */
  async #sweepSnapshots(signal: AbortSignal): Promise<void> {
    const { environment, log } = this.#parts;
    try {
      const swept = await environment.buildrootHost.cache.snapshots.sweep(signal);
      if (swept > 0) log.info({ swept }, 'removed images of unfinished roots');
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: describeError(error) }, 'removing images of unfinished roots failed');
    }
  }

  async #trimCache(signal: AbortSignal): Promise<void> {
    const { environment, cacheBudget, log } = this.#parts;
    const report = await trimCache(environment.buildrootHost.cache, cacheBudget, signal);
    if (report.snapshots.removed + report.packages.removed + report.failed.removed > 0)
      log.info(report, 'trimmed the caches to their budgets');
  }
}

/**
 * Expires buildroots the hub still has as ours although their task does not run here: what a killed daemon
 * leaves (`koji/daemon.py updateBuildroots`). Returns their ids.
 */
export async function expireDeadBuildroots(
  buildroots: BuildrootsApi,
  hostId: number,
  isRunning: (taskId: number) => boolean,
  log: Logger,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const alive = await buildroots.listBuildroots({ hostId, states: ['init', 'waiting', 'building'] }, signal);
  const dead = alive.filter(({ taskId }) => taskId === null || !isRunning(taskId)).map(({ id }) => id);
  for (const id of dead) {
    log.warn({ buildrootId: id }, 'expiring a buildroot whose task is not running here');
    await buildroots.setBuildRootState(id, 'expired', signal);
  }
  return dead;
}

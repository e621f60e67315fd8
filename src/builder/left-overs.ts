import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FailedRoots } from '../cache/failed-roots.ts';
import type { LateRemovals } from '../container/late-removals.ts';
import type { ContainerManager, ContainerSummary } from '../container/manager.ts';
import { reapStrays } from '../container/reaper.ts';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';

/** Where things of tasks may be left, and who still owns some. */
export interface LeftOverGround {
  readonly containers: ContainerManager;
  readonly workerId: string;
  readonly removals: LateRemovals;
  readonly failed: Pick<FailedRoots, 'holds'>;
  /** The worker's own area. */
  readonly workDir: string;
  /** Whether the task runs here. */
  isRunning(taskId: number): boolean;
  readonly log: Logger;
}

/**
 * Removes what no running task owns: containers with this worker's label, and directories of tasks. Each is named in the
 * log. What cannot be removed is tried again the next time.
 */
export async function removeLeftOvers(ground: LeftOverGround, signal: AbortSignal): Promise<void> {
  const { containers, workerId, removals, failed, isRunning, log } = ground;
  const isOwned = ({ id, owner }: ContainerSummary) =>
    isRunning(owner.taskId) || removals.owns(id) || failed.holds(id);
  await reapStrays(containers, workerId, isOwned, log, signal);
  await removeTaskDirectories(ground);
}

async function removeTaskDirectories({ workDir, isRunning, log }: LeftOverGround): Promise<void> {
  const tasks = join(workDir, 'tasks');
  for (const bucket of await readdir(tasks)) {
    const place = join(tasks, bucket);
    const names = await readdir(place).catch(() => null);
    for (const name of names ?? []) {
      if (isRunning(Number(name))) continue;
      log.info({ directory: join(place, name) }, 'removing a directory that no running task owns');
      await rm(join(place, name), { recursive: true, force: true }).catch((error: unknown) =>
        log.error({ directory: join(place, name), err: describeError(error) }, 'it cannot be removed'),
      );
    }
    if (names === null) await rm(place, { force: true });
    // Only when it is empty: a task may have begun meanwhile.
    else await rmdir(place).catch(() => undefined);
  }
}

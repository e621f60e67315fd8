import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FailedRoots } from '../../cache/failed-roots.ts';
import type { BackgroundRemovals } from '../../container/background-removals.ts';
import { reapOrphans } from '../../container/reaper.ts';
import type { ContainerSummary, StepRuntime } from '../../container/step-runtime.ts';
import { describeError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';

/** Where things of tasks may be left, and who still owns some. */
export interface OrphanContext {
  readonly runtime: StepRuntime;
  readonly workerId: string;
  readonly removals: BackgroundRemovals;
  readonly failed: Pick<FailedRoots, 'holds'>;
  /** The worker's own area. */
  readonly workDir: string;
  /** Whether the task runs here. */
  isRunning(taskId: number): boolean;
  readonly log: Logger;
}

/**
 * Removes what no running task owns: containers with this worker's label, output of containers that are gone, and
 * directories of tasks. Each is named in the log. What cannot be removed is tried again the next time.
 */
export async function removeOrphans(context: OrphanContext, signal: AbortSignal): Promise<void> {
  const { runtime, workerId, removals, failed, isRunning, log } = context;
  // Listed before the containers: those have their output from the beginning.
  const outputs = await readdir(join(context.workDir, 'containers')).catch(() => []);
  const isOwned = ({ id, owner }: ContainerSummary) =>
    isRunning(owner.taskId) || removals.owns(id) || failed.holds(id);
  await reapOrphans(runtime, workerId, isOwned, log, signal);
  await removeOutputs(context, outputs, signal);
  await removeTaskDirectories(context);
}

/** Rotated copies beside a container's output go with the container, too. */
async function removeOutputs(
  { runtime, workerId, workDir, log }: OrphanContext,
  outputs: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (outputs.length === 0) return;
  const names = (await runtime.list(workerId, signal)).map(({ name }) => name);
  for (const output of outputs.filter((each) => !names.some((name) => each.startsWith(`${name}.log`)))) {
    const path = join(workDir, 'containers', output);
    log.info({ path }, 'removing the output of a container that no longer exists');
    await rm(path, { recursive: true, force: true }).catch((error: unknown) =>
      log.error({ path, err: describeError(error) }, 'removing the output of a container failed'),
    );
  }
}

async function removeTaskDirectories({ workDir, isRunning, log }: OrphanContext): Promise<void> {
  const tasks = join(workDir, 'tasks');
  for (const bucket of await readdir(tasks)) {
    const place = join(tasks, bucket);
    const names = await readdir(place).catch(() => null);
    for (const name of names ?? []) {
      if (isRunning(Number(name))) continue;
      log.info({ directory: join(place, name) }, 'removing an orphaned task directory');
      await rm(join(place, name), { recursive: true, force: true }).catch((error: unknown) =>
        log.error(
          { directory: join(place, name), err: describeError(error) },
          'removing an orphaned task directory failed',
        ),
      );
    }
    if (names === null) await rm(place, { force: true });
    // Only when it is empty: a task may have begun meanwhile.
    else await rmdir(place).catch(() => undefined);
  }
}

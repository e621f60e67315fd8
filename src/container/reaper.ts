import type { Logger } from '../core/logger.ts';
import type { ContainerSummary, StepRuntime } from './step-runtime.ts';

export interface ReapReport {
  readonly removed: readonly ContainerSummary[];
  /** Containers of tasks that still run. */
  readonly kept: readonly ContainerSummary[];
  /** Could not be removed; the next round tries again. */
  readonly failed: readonly { readonly container: ContainerSummary; readonly error: unknown }[];
}

/**
 * Removes the containers of this worker that no running task owns: left by a crash, or by a removal
 * that failed. At the daemon's start, before anything was adopted, that is all of them. One that
 * cannot be removed does not keep the others; every one is logged with its task. The list is read
 * before `isOwned` is asked, so a task counts as running before it creates its first container.
 */
export async function reapOrphans(
  runtime: Pick<StepRuntime, 'list' | 'remove'>,
  workerId: string,
  isOwned: (container: ContainerSummary) => boolean,
  logger: Logger,
  signal: AbortSignal,
): Promise<ReapReport> {
  const removed: ContainerSummary[] = [];
  const kept: ContainerSummary[] = [];
  const failed: { container: ContainerSummary; error: unknown }[] = [];
  for (const container of await runtime.list(workerId, signal)) {
    signal.throwIfAborted();
    if (isOwned(container)) {
      kept.push(container);
      continue;
    }
    const { taskId, phase, attempt } = container.owner;
    const about = { container: container.name, state: container.state, taskId, phase, attempt };
    try {
      await runtime.remove(container.id);
      removed.push(container);
      logger.info(about, 'removed an orphaned container');
    } catch (error) {
      failed.push({ container, error });
      logger.error({ ...about, err: error }, 'cannot remove an orphaned container');
    }
  }
  return { removed, kept, failed };
}

import type { HostApi } from '../../hub/api/host.ts';
import type { CreatedChild } from '../../tasks/subtasks.ts';

/** The tasks that this host takes and refuses, as far as those that run have to do with it (`intake/task-source.ts`). */
export interface HostTasks {
  /** A task here has made a child, which this host may be the one to open. */
  childMade(child: CreatedChild): void;
  /**
   * Gives a task that is open here back to the hub, through the session of `host`; this host does not take it again, or
   * with `soft` not for a while.
   */
  refuseOpen(
    taskId: number,
    reason: { readonly soft: boolean; readonly message: string },
    host: Pick<HostApi, 'refuseTask'>,
    signal?: AbortSignal,
  ): Promise<void>;
  /** A task has ended here: the hub is likely to have another one. */
  taskEnded(): void;
}

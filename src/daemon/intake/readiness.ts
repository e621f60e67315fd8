/** What decides whether this host takes another task. Sizes in bytes, loads in Koji's weight. */
export interface HostState {
  readonly enabled: boolean;
  readonly capacity: number;
  /** Weight of the tasks that are open here and do not wait for children. */
  readonly taskLoad: number;
  /** Tasks that run here: those that wait and those that were stopped and tidy up included. */
  readonly tasks: number;
  readonly maxJobs: number;
  /** Free space of every file system that builds write to, by path. */
  readonly freeBytes: ReadonlyMap<string, number>;
  readonly minSpaceBytes: number;
  /** Those of them that cannot be written to. */
  readonly readOnly: readonly string[];
  readonly loadAverage: number;
  readonly processors: number;
  /** The daemon is to end once its tasks have. */
  readonly draining: boolean;
  /** Why the container engine cannot be used, or null. */
  readonly engineProblem: string | null;
}

/** Why the host does not want another task, or null when it does (`koji/daemon.py readyForTask`). */
export function whyNotReady(state: HostState): string | null {
  if (state.draining) return 'draining: the daemon stops when its tasks have ended';
  if (!state.enabled) return 'the host is disabled on the hub';
  if (state.engineProblem !== null) return state.engineProblem;
  if (state.taskLoad > state.capacity)
    return `task load ${state.taskLoad.toFixed(2)} is above the capacity ${state.capacity}`;
  if (state.tasks >= state.maxJobs) return `${state.tasks} tasks run here, maxjobs is ${state.maxJobs}`;
  const [readOnly] = state.readOnly;
  if (readOnly !== undefined)
    return `${readOnly} is on a file system that is read-only; see what the kernel says about its disk`;
  for (const [path, free] of state.freeBytes) {
    if (free < state.minSpaceBytes)
      return `${mib(free)} MB free at ${path}, minspace is ${mib(state.minSpaceBytes)}`;
  }
  const limit = 4 * state.processors;
  if (state.loadAverage > limit) return `load average ${state.loadAverage.toFixed(2)} is above ${limit}`;
  return null;
}

function mib(bytes: number): number {
  return Math.floor(bytes / 2 ** 20);
}

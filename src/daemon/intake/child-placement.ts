import { type QueuedTask, taskStates } from '../../hub/api/schema.ts';

/** What decides whether this host opens a child of one of its own tasks. Loads and weights in Koji's weight. */
export interface PlacementContext {
  /** `yes`: whatever else waits. */
  readonly mode: 'auto' | 'yes';
  readonly hostId: number;
  readonly capacity: number;
  /** Weight of the tasks that are open here and do not wait. */
  readonly load: number;
  /** Tasks that run here. */
  readonly tasks: number;
  readonly maxJobs: number;
  /** What waits in the channels and for the arches of this host, in the scheduler's order. */
  readonly queue: readonly QueuedTask[];
  /** Children of tasks that run here. */
  readonly own: ReadonlySet<number>;
  /** Tasks that this host has refused. */
  readonly refused: ReadonlySet<number>;
  /** What a task of this method counts for; null when this host takes none. */
  weightOf(method: string): number | null;
}

/**
 * Why a child that lies FREE in the queue is left to the hub's scheduler, or null when this host may open it: it has
 * room, and the scheduler, which goes by priority and then by age, would have had nothing for it before this child.
 */
export function whyLeft(child: QueuedTask, context: PlacementContext): string | null {
  const { capacity, maxJobs } = context;
  const { load, tasks } = heldWith(context);
  const weight = context.weightOf(child.method) ?? child.weight;
  if (tasks >= maxJobs) return `${tasks} tasks are held here, maxjobs is ${maxJobs}`;
  if (load + weight > capacity)
    return `the load ${load.toFixed(2)} leaves no room for its weight ${weight} under the capacity ${capacity}`;
  if (context.mode === 'yes') return null;
  const rival = rivalsOf(child, context)[0];
  if (rival !== undefined) return `task ${rival.id} (${rival.method}) comes before it in the hub's queue`;
  return null;
}

/**
 * FREE tasks that the scheduler would give to this host before the child. A refusal of this host takes a task off the
 * list: until it is known, all count.
 */
export function rivalsOf(child: QueuedTask, context: PlacementContext): readonly QueuedTask[] {
  const before = context.queue.slice(
    0,
    context.queue.findIndex(({ id }) => id === child.id),
  );
  return before.filter(
    ({ id, state, method }) =>
      state === taskStates.free &&
      context.weightOf(method) !== null &&
      !context.own.has(id) &&
      !context.refused.has(id),
  );
}

/** What is held here once the tasks are open that the hub has already assigned. */
function heldWith({ queue, hostId, load, tasks, weightOf }: PlacementContext) {
  const coming = queue.filter(({ state, hostId: host }) => state === taskStates.assigned && host === hostId);
  const weight = coming.reduce((sum, { method, weight: told }) => sum + (weightOf(method) ?? told), 0);
  return { load: load + weight, tasks: tasks + coming.length };
}

import type { Logger } from '../../core/logger.ts';
import type { HostApi } from '../../hub/api/host.ts';
import { type QueueApi, queueLimit } from '../../hub/api/queue.ts';
import { type HostInfo, type QueuedTask, type TaskInfo, taskStates } from '../../hub/api/schema.ts';
import type { VersionApi } from '../../hub/api/version.ts';
import type { CreatedChild } from '../../tasks/subtasks.ts';
import type { BuilderEvents } from '../events.ts';
import { type PlacementContext, rivalsOf, whyLeft } from './child-placement.ts';
import type { OfferedTask } from './legacy-scheduler.ts';

/** What the round has found out about this host. */
export interface HostOccupancy {
  readonly host: HostInfo;
  readonly load: number;
  /** Ids of the tasks that run here. */
  readonly running: ReadonlySet<number>;
}

interface Waiting {
  readonly child: CreatedChild;
  /** Whether the log has said why it is left to the hub. */
  told: boolean;
}

/**
 * The children that tasks of this host have made and that lie FREE on the hub: which of them this host opens by itself,
 * without waiting for the scheduler's next run (`assign_children`). The hub stays in charge: a child is made like any
 * other, the hub chooses its channel, and as long as it is not open the scheduler may give it to any host. So nothing
 * hangs on this host before it has opened a child.
 */
export class OwnChildren {
  readonly #parts: OwnChildrenParts;
  readonly #waiting = new Map<number, Waiting>();

  constructor(parts: OwnChildrenParts) {
    this.#parts = parts;
  }

  /** A task here has made a child. One that was given to a host, or that a restart tells of again, is no matter of ours. */
  made(child: CreatedChild): void {
    if (this.#parts.mode === 'no' || child.assigned) return;
    this.#waiting.set(child.id, { child, told: false });
  }

  /** No child can be opened in this round: the log says why, once for each. */
  notNow(why: string): void {
    for (const waiting of this.#waiting.values()) this.#tell(waiting, why);
  }

  /** The children that this host may open now, in the scheduler's order. Asks the hub only while some are waiting. */
  async offers(held: HostOccupancy, signal: AbortSignal): Promise<readonly OfferedTask[]> {
    const { queue, version, mode } = this.#parts;
    if (this.#waiting.size === 0 || mode === 'no') return [];
    if (!(await version.assignsTasks(signal))) {
      // There every host chooses for itself among all FREE tasks, its own children included.
      this.#waiting.clear();
      return [];
    }
    const channels = await queue.channelsOf(held.host.id, signal);
    const arches = [...held.host.arches, 'noarch'];
    const tasks = await queue.waiting({ channels, arches }, signal);
    await this.#dropMissing(tasks, held.host.id, channels, arches, signal);
    const context = await this.#contextOf(held, tasks, mode, signal);
    return tasks.filter((task) => {
      const waiting = this.#waiting.get(task.id);
      if (waiting === undefined || task.state !== taskStates.free) return false;
      const why = whyLeft(task, context);
      if (why !== null) this.#tell(waiting, why);
      return why === null;
    });
  }

  /** The child was opened here. */
  taken(taskId: number): void {
    const waiting = this.#waiting.get(taskId);
    if (waiting === undefined) return;
    this.#parts.log.info(
      about(waiting.child),
      this.#parts.mode === 'yes'
        ? 'child task opened here at once'
        : "child task opened here at once: this host has room, and nothing in the hub's queue comes before it",
    );
    this.#settle(waiting, true);
  }

  /** The child is left to the hub for good. */
  left(taskId: number, why: string): void {
    const waiting = this.#waiting.get(taskId);
    if (waiting === undefined) return;
    this.#tell(waiting, why);
    this.#settle(waiting, false);
  }

  /** All that wait are left to the hub for good. */
  giveUp(why: string): void {
    for (const id of [...this.#waiting.keys()]) this.left(id, why);
  }

  async #contextOf(
    { host, load, running }: HostOccupancy,
    queue: readonly QueuedTask[],
    mode: PlacementContext['mode'],
    signal: AbortSignal,
  ): Promise<PlacementContext> {
    const { maxJobs, weightOf } = this.#parts;
    const context: PlacementContext = {
      mode,
      hostId: host.id,
      capacity: host.capacity,
      load,
      tasks: running.size,
      maxJobs,
      queue,
      own: new Set(this.#waiting.keys()),
      refused: new Set(),
      weightOf,
    };
    const contested = queue.some(({ id }) => this.#waiting.has(id) && rivals(id, queue, context));
    if (mode === 'yes' || !contested) return context;
    return { ...context, refused: await this.#parts.queue.refusedBy(host.id, signal) };
  }

  /** What is not in the queue of this host is open, has ended, or lies where this host may not take it. */
  async #dropMissing(
    queue: readonly QueuedTask[],
    hostId: number,
    channels: readonly number[],
    arches: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const free = new Set(queue.filter(({ state }) => state === taskStates.free).map(({ id }) => id));
    const hidden = queue.length >= queueLimit;
    for (const [id, waiting] of this.#waiting) {
      if (free.has(id)) continue;
      const info = await this.#parts.host.taskInfo(id, { signal });
      // Of children that were open here before a restart their parents tell again.
      if (info?.hostId === hostId && info.state !== taskStates.assigned) this.#waiting.delete(id);
      const why = whyNotOurs(info, channels, arches);
      if (why !== null) this.left(id, why);
      else if (hidden) this.#tell(waiting, `${queueLimit} tasks come before it in the hub's queue`);
    }
  }

  #tell(waiting: Waiting, why: string): void {
    if (waiting.told) return;
    waiting.told = true;
    this.#parts.log.info({ ...about(waiting.child), why }, 'child task left to the scheduler of the hub');
  }

  #settle({ child }: Waiting, here: boolean): void {
    this.#waiting.delete(child.id);
    this.#parts.events.emit('child:placed', { taskId: child.id, method: child.method, here });
  }
}

export interface OwnChildrenParts {
  /** `assign_children`. */
  readonly mode: 'auto' | 'yes' | 'no';
  readonly queue: QueueApi;
  readonly host: HostApi;
  readonly version: VersionApi;
  /** kojid's `maxjobs`. */
  readonly maxJobs: number;
  /** What a task of this method counts for; null when this host takes none. */
  weightOf(method: string): number | null;
  readonly events: BuilderEvents;
  readonly log: Logger;
}

function rivals(id: number, queue: readonly QueuedTask[], context: PlacementContext): boolean {
  const child = queue.find((task) => task.id === id);
  return child !== undefined && rivalsOf(child, context).length > 0;
}

function whyNotOurs(
  info: TaskInfo | null,
  channels: readonly number[],
  arches: readonly string[],
): string | null {
  if (info === null) return 'the hub no longer knows it';
  if (info.state === taskStates.canceled) return 'it was canceled';
  if (info.state !== taskStates.free) return 'the hub has given it to a host';
  if (info.channelId === null || !channels.includes(info.channelId))
    return "the hub's channel policy has put it into a channel that this host is not in";
  if (!arches.includes(info.arch)) return `this host does not have its arch, ${info.arch}`;
  return null;
}

/** Under the parent's id: its log is where one looks. */
function about({ id, parentId, method }: CreatedChild) {
  return { taskId: parentId, child: id, childMethod: method };
}

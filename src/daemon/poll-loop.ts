import type { Clock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import { faultCodes } from '../core/koji-faults.ts';
import type { Logger } from '../core/logger.ts';
import type { HostApi } from '../hub/api/host.ts';
import { type HeldTask, type TaskInfo, taskStates } from '../hub/api/schema.ts';
import { isFault, SessionLost } from '../hub/faults.ts';
import type { OpenedTask } from '../tasks/adapter.ts';
import type { BuilderEvents } from './events.ts';
import type { HostProbe } from './intake/host-probe.ts';
import type { HostOccupancy } from './intake/own-children.ts';
import { whyNotReady } from './intake/readiness.ts';
import type { TaskSource } from './intake/task-source.ts';
import type { PollBackoff } from './poll-backoff.ts';
import { outcomeOf } from './run/outcome.ts';
import type { Supervisor } from './run/supervisor.ts';

/** The hub counts a host as absent after 180 s; a check-in at least this often, also while polling eagerly. */
const checkInEveryMs = 15_000;

export interface PollLoopParts {
  readonly host: HostApi;
  readonly source: TaskSource;
  /** What tasks there are here. */
  readonly methods: readonly string[];
  readonly supervisor: Supervisor;
  readonly probe: Pick<HostProbe, 'look'>;
  readonly events: BuilderEvents;
  /** kojid's `maxjobs`. */
  readonly maxJobs: number;
  /** Drain as soon as a task was taken. */
  readonly single: boolean;
  readonly pace: PollBackoff;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The conversation with the hub about this host's tasks (`koji/daemon.py` TaskManager): what we hold, what
 * was taken from us, how we are, what there is for us. One round at a time.
 */
export class PollLoop {
  readonly #parts: PollLoopParts;
  #draining = false;
  #checkedInMs = Number.NEGATIVE_INFINITY;
  #told = '';
  #ready = false;

  constructor(parts: PollLoopParts) {
    this.#parts = parts;
  }

  /** No new tasks from the next round on, and the end of `run` once none is left. */
  drain(): void {
    this.#draining = true;
    this.#parts.pace.expectWork();
  }

  /**
   * Polls until the signal is aborted or, when it drains, no task runs here any more. Rejects with
   * `SessionLost` when another builder has taken over, and when no later round can go better.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { supervisor, single, pace } = this.#parts;
    while (!signal.aborted) {
      const took = await this.#round(signal);
      if (signal.aborted) return;
      if (supervisor.lost !== null) throw supervisor.lost;
      if (this.#draining && supervisor.taskIds.length === 0) return;
      if (took && single) this.drain();
      else if (took) pace.expectWork();
      await pace.pause(signal);
    }
  }

  async #round(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#poll(signal);
    } catch (error) {
      if (signal.aborted) return false;
      if (error instanceof SessionLost || isFault(error, faultCodes.authExpired)) throw error;
      this.#parts.log.error({ err: error }, `polling the hub failed: ${describeError(error)}`);
      this.#parts.events.emit('poll:failed', { error });
      this.#parts.pace.slowDown();
      return false;
    }
  }

  async #poll(signal: AbortSignal): Promise<boolean> {
    const { host, source, supervisor, events } = this.#parts;
    const running = new Set(supervisor.taskIds);
    const held = await host.heldTasks(signal);
    await this.#followHub(held, running, signal);
    const { why, here } = await this.#checkIn(held, signal);
    let took = false;
    if (why === null) took = await this.#startOne(here, signal);
    else source.notNow(why);
    events.emit('poll:done', {
      ready: this.#ready,
      why,
      tasks: supervisor.taskIds.length,
    });
    return took;
  }

  /**
   * Wakes tasks the hub has news for, stops those it has taken away, frees those that do not run here. `running`
   * is what ran here before the hub was asked: of tasks that have ended since, its answer is out of date.
   */
  async #followHub(
    held: readonly HeldTask[],
    running: ReadonlySet<number>,
    signal: AbortSignal,
  ): Promise<void> {
    const { host, supervisor, log } = this.#parts;
    const stale = held.map(({ id }) => id).filter((id) => !running.has(id));
    if (stale.length > 0) {
      log.warn({ stale }, 'freeing tasks that are open on this host but not running');
      await host.freeTasks(stale, signal);
    }
    for (const { id, alert } of held) if (alert) supervisor.wake(id);
    const known = new Set(held.map(({ id }) => id));
    for (const id of supervisor.taskIds) {
      if (known.has(id) || supervisor.isStopping(id)) continue;
      const info = await host.taskInfo(id, { signal });
      if (info === null || info.state === taskStates.canceled) supervisor.cancel(id, 'canceled');
      else if (info.hostId !== (await host.hostId(signal)) || isQueued(info))
        supervisor.cancel(id, 'reassigned');
      // Otherwise it is just telling the hub how it ended.
    }
  }

  /** Tells the hub how we are, when it is due or has changed. */
  async #checkIn(
    held: readonly HeldTask[],
    signal: AbortSignal,
  ): Promise<{ readonly why: string | null; readonly here: HostOccupancy }> {
    const { supervisor, maxJobs, probe, clock, methods, log } = this.#parts;
    const mine = held.filter(({ id }) => supervisor.has(id));
    const load = mine.filter(({ waiting }) => !waiting).reduce((sum, { weight }) => sum + weight, 0);
    const host = await this.#parts.host.host(signal);
    const running = new Set(supervisor.taskIds);
    const why = whyNotReady({
      enabled: host.enabled,
      capacity: host.capacity,
      taskLoad: load,
      tasks: running.size,
      maxJobs,
      draining: this.#draining,
      ...(await probe.look(signal)),
    });
    this.#ready = why === null;
    const news = `${load.toFixed(3)} ${this.#ready}`;
    const now = clock.uptime();
    if (news !== this.#told || now - this.#checkedInMs >= checkInEveryMs) {
      if (why !== null && news !== this.#told) log.warn({ why }, 'not ready for tasks');
      const data = { methods, maxjobs: maxJobs };
      await this.#parts.host.updateHost(load, this.#ready, data, signal);
      this.#told = news;
      this.#checkedInMs = now;
    }
    return { why, here: { host, load, running } };
  }

  /** Starts the first task that is to run here; true when one was started. */
  async #startOne(here: HostOccupancy, signal: AbortSignal): Promise<boolean> {
    const { source } = this.#parts;
    for await (const task of source.tasks(here, signal)) {
      if (!(await this.#start(task, signal))) continue;
      source.started(task);
      return true;
    }
    return false;
  }

  async #start(opened: OpenedTask, signal: AbortSignal): Promise<boolean> {
    const { host, source, supervisor, log } = this.#parts;
    try {
      await supervisor.start(opened, signal);
      return true;
    } catch (error) {
      const outcome = outcomeOf(error);
      if (outcome.kind !== 'refuse') throw error;
      // A disk that cannot be written to: freed, the task would be back at once.
      const { id } = opened.task;
      log.warn({ taskId: id, reason: outcome.message }, 'task refused after opening');
      await source.refuseOpen(id, outcome, host, signal);
      return false;
    }
  }
}

/** Given back to the queue, as the hub does with the tasks of a silent host, and perhaps assigned here again. */
function isQueued({ state }: TaskInfo): boolean {
  return state === taskStates.free || state === taskStates.assigned;
}

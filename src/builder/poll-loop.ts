import type { Clock } from '../core/clock.ts';
import { BuilderError, describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { faultCodes, isFault, SessionLost } from '../hub/faults.ts';
import type { HostApi } from '../hub/host-api.ts';
import { type AssignedTask, type HeldTask, type HostInfo, taskStates } from '../hub/schema.ts';
import type { TagsApi } from '../hub/tags-api.ts';
import type { TaskAdapter } from '../tasks/adapter.ts';
import { decodeParams } from '../tasks/params.ts';
import { whyNotReady } from './admission.ts';
import type { BuilderEvents } from './events.ts';
import type { HostProbe } from './host-probe.ts';
import { freeStaleTasks, type Supervisor } from './supervisor.ts';
import { WakeUps } from './wake-ups.ts';

/** Pauses between polls while new work is likely; idle, the configured pause is used. */
const eagerPausesMs = [250, 500, 1000, 1000, 1000, 1500, 2000, 2000, 3000, 3000, 5000, 5000, 5000];
/** The hub counts a host as absent after 180 s; a check-in at least this often, also while polling eagerly. */
const checkInEveryMs = 15_000;

export interface PollSettings {
  readonly sleepMs: number;
  readonly maxJobs: number;
}

/**
 * The conversation with the hub about this host's tasks (`koji/daemon.py` TaskManager): what we hold, what
 * was taken from us, how we are, what is assigned to us. One round at a time.
 */
export class PollLoop {
  readonly #host: HostApi;
  readonly #tags: TagsApi;
  readonly #registry: ReadonlyMap<string, TaskAdapter>;
  readonly #supervisor: Supervisor;
  readonly #probe: HostProbe;
  readonly #events: BuilderEvents;
  readonly #settings: PollSettings;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #kick = new WakeUps();
  #kicked = false;
  #eager = 0;
  #draining = false;
  #checkedInMs = Number.NEGATIVE_INFINITY;
  #told = '';
  #ready = false;

  constructor(parts: {
    readonly host: HostApi;
    readonly tags: TagsApi;
    readonly registry: ReadonlyMap<string, TaskAdapter>;
    readonly supervisor: Supervisor;
    readonly probe: HostProbe;
    readonly events: BuilderEvents;
    readonly settings: PollSettings;
    readonly clock: Clock;
    readonly log: Logger;
  }) {
    this.#host = parts.host;
    this.#tags = parts.tags;
    this.#registry = parts.registry;
    this.#supervisor = parts.supervisor;
    this.#probe = parts.probe;
    this.#events = parts.events;
    this.#settings = parts.settings;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#events.on('task:ended', () => this.expectWork());
  }

  /** Something has happened after which the hub is likely to have work: polls at once, and often for a while. */
  expectWork(): void {
    this.#eager = 0;
    this.#kicked = true;
    this.#kick.wake();
  }

  /** No new tasks from the next round on. */
  drain(): void {
    this.#draining = true;
    this.expectWork();
  }

  /** Polls until the signal is aborted. Rejects with `SessionLost` when another builder has taken over. */
  async run(signal: AbortSignal): Promise<void> {
    this.#eager = 0;
    while (!signal.aborted) {
      const took = await this.#round(signal);
      if (signal.aborted) return;
      if (this.#supervisor.lost !== null) throw this.#supervisor.lost;
      if (took) this.#eager = 0;
      else await this.#pause(signal);
    }
  }

  async #round(signal: AbortSignal): Promise<boolean> {
    try {
      const took = await this.#poll(signal);
      return took;
    } catch (error) {
      if (signal.aborted) return false;
      if (error instanceof SessionLost || isFault(error, faultCodes.authExpired)) throw error;
      if (error instanceof BuilderError && error.code === 'hub-too-old') throw error;
      this.#log.error({ err: error }, `the round with the hub failed: ${describeError(error)}`);
      this.#events.emit('poll:failed', { error });
      this.#eager = eagerPausesMs.length;
      return false;
    }
  }

  async #poll(signal: AbortSignal): Promise<boolean> {
    const held = await this.#host.heldTasks(signal);
    await this.#followHub(held, signal);
    const why = await this.#checkIn(held, signal);
    let took = false;
    if (this.#ready) took = await this.#takeOne(signal);
    this.#events.emit('poll:done', { ready: this.#ready, why, tasks: this.#supervisor.taskIds.length });
    return took;
  }

  /** Wakes tasks the hub has news for, stops those it has taken away, frees those nobody runs. */
  async #followHub(held: readonly HeldTask[], signal: AbortSignal): Promise<void> {
    const known = new Set(held.map(({ id }) => id));
    await freeStaleTasks(
      this.#host,
      held.map(({ id }) => id).filter((id) => !this.#supervisor.has(id)),
      this.#log,
      signal,
    );
    for (const { id, alert } of held) if (alert) this.#supervisor.wake(id);
    for (const id of this.#supervisor.taskIds) {
      if (known.has(id) || this.#supervisor.isStopping(id)) continue;
      const info = await this.#host.taskInfo(id, { signal });
      if (info === null || info.state === taskStates.canceled) this.#supervisor.cancel(id, 'canceled');
      else if (info.hostId !== (await this.#host.hostId(signal))) this.#supervisor.cancel(id, 'reassigned');
      // Otherwise it is just telling the hub how it ended.
    }
  }

  /** Tells the hub how we are, when it is due or has changed. */
  async #checkIn(held: readonly HeldTask[], signal: AbortSignal): Promise<string | null> {
    const mine = held.filter(({ id }) => this.#supervisor.has(id));
    const load = mine.filter(({ waiting }) => !waiting).reduce((sum, { weight }) => sum + weight, 0);
    const host = await this.#host.host(signal);
    const why = whyNotReady({
      enabled: host.enabled,
      capacity: host.capacity,
      taskLoad: load,
      tasks: mine.length,
      maxJobs: this.#settings.maxJobs,
      draining: this.#draining,
      ...(await this.#probe.look(signal)),
    });
    this.#ready = why === null;
    const news = `${load.toFixed(3)} ${this.#ready}`;
    const now = this.#clock.now();
    if (news !== this.#told || now - this.#checkedInMs >= checkInEveryMs) {
      if (why !== null && news !== this.#told) this.#log.warn({ why }, 'not ready for tasks');
      const data = { methods: [...this.#registry.keys()], maxjobs: this.#settings.maxJobs };
      await this.#host.updateHost(load, this.#ready, data, signal);
      this.#told = news;
      this.#checkedInMs = now;
    }
    return why;
  }

  /** Takes the first task that can be run here; true when one was started. */
  async #takeOne(signal: AbortSignal): Promise<boolean> {
    let host: HostInfo | null = null;
    for (const assigned of await this.#host.assignedTasks(signal)) {
      if (this.#supervisor.has(assigned.id)) continue;
      const adapter = this.#registry.get(assigned.method);
      if (adapter === undefined) {
        await this.#refuse(assigned, 'no handler for method', signal);
        continue;
      }
      if (adapter.checkHost !== undefined) {
        host ??= await this.#host.host(signal);
        const why = await this.#whyNotHere(assigned, adapter, host, signal);
        if (why !== null) {
          await this.#refuse(assigned, why, signal);
          continue;
        }
      }
      if (await this.#take(assigned, adapter, signal)) return true;
    }
    return false;
  }

  /** Parameters that cannot be read do not keep a task away: it is opened and failed with that. */
  async #whyNotHere(
    assigned: AssignedTask,
    adapter: TaskAdapter,
    host: HostInfo,
    signal: AbortSignal,
  ): Promise<string | null> {
    const info = await this.#host.taskInfo(assigned.id, { request: true, signal });
    const params = decode(adapter, assigned.method, info?.request ?? []);
    if ('error' in params) return null;
    try {
      return (await adapter.checkHost?.(params.value, { arches: host.arches }, this.#tags, signal)) ?? null;
    } catch (error) {
      // A tag that does not exist is the task's own failure, with its own message.
      if (isFault(error, faultCodes.generic)) return null;
      throw error;
    }
  }

  async #take(assigned: AssignedTask, adapter: TaskAdapter, signal: AbortSignal): Promise<boolean> {
    const task = await this.#host.openTask(assigned.id, signal);
    if (task === null) {
      this.#log.info({ taskId: assigned.id }, 'the task was taken back before it could be opened');
      return false;
    }
    try {
      await this.#host.setTaskWeight(task.id, adapter.weight, signal);
    } catch (error) {
      if (!isFault(error, faultCodes.actionNotAllowed)) throw error;
      this.#log.info({ taskId: task.id }, 'the task was cancelled or reassigned as it was opened');
      return false;
    }
    await this.#supervisor.start(
      { task, adapter, params: decode(adapter, task.method, task.request) },
      signal,
    );
    return true;
  }

  async #refuse(assigned: AssignedTask, message: string, signal: AbortSignal): Promise<void> {
    this.#log.warn({ taskId: assigned.id, method: assigned.method, reason: message }, 'task refused');
    await this.#host.refuseTask(assigned.id, { soft: false, msg: message }, signal);
    this.#events.emit('task:refused', { taskId: assigned.id, method: assigned.method, message });
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (this.#kicked) {
      this.#kicked = false;
      return;
    }
    const pauseMs = Math.min(eagerPausesMs[this.#eager] ?? this.#settings.sleepMs, this.#settings.sleepMs);
    this.#eager += 1;
    const over = new AbortController();
    const both = AbortSignal.any([signal, over.signal]);
    const kicked = this.#kick.next(both);
    await Promise.race([kicked, this.#clock.sleep(pauseMs, both)]).catch((error: unknown) => {
      if (!both.aborted) throw error;
    });
    over.abort();
    await kicked.catch(() => undefined);
    this.#kicked = false;
  }
}

function decode(adapter: TaskAdapter, method: string, request: Parameters<typeof decodeParams>[2]) {
  try {
    return { value: decodeParams(method, adapter.signature, request) };
  } catch (error) {
    if (error instanceof BuilderError) return { error };
    throw error;
  }
}

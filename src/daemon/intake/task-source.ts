import type { Clock } from '../../core/clock.ts';
import type { HostApi } from '../../hub/api/host.ts';
import type { VersionApi } from '../../hub/api/version.ts';
import { type OfferedTask, OwnChoice } from './legacy-scheduler.ts';

/** How long a hub leaves a host alone that has softly refused a task (`SoftRefusalTimeout`). */
const softRefusalMs = 15 * 60_000;

/**
 * Where tasks come from and what becomes of those this host does not take: the hub assigns them and keeps the
 * refusals, or, before 1.34, this host chooses and remembers what it has refused.
 */
export class TaskSource {
  readonly #host: HostApi;
  readonly #version: VersionApi;
  readonly #clock: Clock;
  readonly #choice: OwnChoice;
  /** Until when a task is not looked at again, by its id; in the clock's uptime. */
  readonly #refusedUntilMs = new Map<number, number>();

  /** `availDelayMs` is kojid's `task_avail_delay`. */
  constructor(parts: {
    readonly host: HostApi;
    readonly version: VersionApi;
    readonly clock: Clock;
    readonly availDelayMs: number;
  }) {
    this.#host = parts.host;
    this.#version = parts.version;
    this.#clock = parts.clock;
    this.#choice = new OwnChoice(parts.availDelayMs);
  }

  /** The tasks that this host may take now, in order. */
  async offers(signal: AbortSignal): Promise<readonly OfferedTask[]> {
    if (await this.#version.assignsTasks(signal)) return this.#host.assignedTasks(signal);
    const load = await this.#host.loadData(signal);
    const nowMs = this.#clock.now();
    const offers = this.#choice.offers(load, await this.#host.hostId(signal), nowMs);
    const upMs = this.#clock.uptime();
    return offers.filter(({ id }) => upMs >= (this.#refusedUntilMs.get(id) ?? upMs));
  }

  /** Leaves an offered task to other hosts, for good. Where the hub assigns tasks it must be told. */
  async refuse(taskId: number, message: string, signal: AbortSignal): Promise<void> {
    if (await this.#version.assignsTasks(signal))
      await this.#host.refuseTask(taskId, { soft: false, msg: message }, signal);
    else this.refused(taskId, false);
  }

  /** An open task is about to be refused. Soft: this host may have it again later. */
  refused(taskId: number, soft: boolean): void {
    const nowMs = this.#clock.uptime();
    for (const [id, untilMs] of this.#refusedUntilMs) if (untilMs <= nowMs) this.#refusedUntilMs.delete(id);
    this.#refusedUntilMs.set(taskId, nowMs + (soft ? softRefusalMs : hardRefusalMs));
  }
}

/** No task waits longer; the memory must not grow for ever. */
const hardRefusalMs = 30 * 24 * 3_600_000;

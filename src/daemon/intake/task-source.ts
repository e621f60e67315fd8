import type { Clock } from '../../core/clock.ts';
import { describeError } from '../../core/errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import type { HostApi } from '../../hub/api/host.ts';
import type { OpenTask } from '../../hub/api/schema.ts';
import type { VersionApi } from '../../hub/api/version.ts';
import { HubProtocolError, isFault, isHubTrouble } from '../../hub/faults.ts';
import type { OpenedTask, TaskAdapter } from '../../tasks/adapter.ts';
import type { CreatedChild } from '../../tasks/subtasks.ts';
import type { BuilderEvents } from '../events.ts';
import { type DecisionSources, decide } from './decide.ts';
import { LegacyScheduler, type OfferedTask } from './legacy-scheduler.ts';
import { Offer } from './offer.ts';
import type { HostOccupancy, OwnChildren } from './own-children.ts';

/** How long a hub leaves a host alone that has softly refused a task (`SoftRefusalTimeout`). */
const softRefusalMs = 15 * 60_000;

export interface TaskSourceParts extends DecisionSources {
  readonly host: HostApi;
  readonly version: VersionApi;
  /** Children of tasks of this host. */
  readonly children: Pick<OwnChildren, 'made' | 'offers' | 'notNow' | 'taken' | 'left' | 'giveUp'>;
  /** Of the rounds with the hub. */
  readonly pace: { expectWork(): void };
  readonly clock: Clock;
  /** kojid's `task_avail_delay`. */
  readonly availDelayMs: number;
  readonly events: BuilderEvents;
}

/** A task that was opened here and is to be started. */
export interface TakenTask extends OpenedTask {
  readonly from: Offer['from'];
}

/**
 * Where tasks come from and what becomes of those this host does not take: its own tasks' children first, then what the
 * hub has for it. It gives out what is to run here and refuses the rest by itself. The hub assigns tasks and keeps the
 * refusals, or, before 1.34, this host chooses and remembers what it has refused.
 */
export class TaskSource {
  readonly #parts: TaskSourceParts;
  readonly #choice: LegacyScheduler;
  /** Until when a task is not looked at again, by its id; in the clock's uptime. */
  readonly #refusedUntilMs = new Map<number, number>();

  constructor(parts: TaskSourceParts) {
    this.#parts = parts;
    this.#choice = new LegacyScheduler(parts.availDelayMs);
  }

  /**
   * The tasks that are to run here now, in order, each opened when it is asked for; those of `held` that run already are
   * left out. All others that there are for this host are refused. The hub is asked for its own when the children were
   * looked at.
   */
  async *tasks(held: HostOccupancy, signal: AbortSignal): AsyncGenerator<TakenTask, void, undefined> {
    for (const child of await this.#children(held, signal)) yield* this.#take(child, 'child', held, signal);
    for (const task of await this.#assigned(signal)) yield* this.#take(task, 'hub', held, signal);
  }

  async *#take(
    offered: OfferedTask,
    from: Offer['from'],
    held: HostOccupancy,
    signal: AbortSignal,
  ): AsyncGenerator<TakenTask, void, undefined> {
    if (held.running.has(offered.id)) return;
    const { registry, host } = this.#parts;
    const offer = new Offer(offered, from, registry, host);
    const decision = await decide(offer, this.#parts, signal);
    if (decision.kind === 'refuse') {
      await this.#refuse(offer, decision.why, signal);
      return;
    }
    const { adapter } = decision;
    const task = await this.#open(offer, adapter, signal);
    if (task !== null) yield { task, adapter, params: offer.paramsOf(adapter, task.request), from };
    else if (from === 'child') this.#parts.children.left(offer.id, 'it could not be opened');
  }

  /** Null when it does not run here. When this breaks off in between, the next round finds the task open and frees it. */
  async #open({ id }: Offer, { weight }: TaskAdapter, signal: AbortSignal): Promise<OpenTask | null> {
    const { host, log } = this.#parts;
    const task = await this.#openOrFail(id, signal);
    if (task === null) {
      log.info({ taskId: id }, 'task was taken by another host or canceled');
      return null;
    }
    try {
      await host.setTaskWeight(id, weight, signal);
    } catch (error) {
      if (!isFault(error, faultCodes.actionNotAllowed)) throw error;
      log.info({ taskId: id }, 'task was canceled or reassigned while it was opened');
      return null;
    }
    return task;
  }

  /** What cannot be read of a task stays so: it is failed, or it would be opened and freed again and again. */
  async #openOrFail(id: number, signal: AbortSignal): Promise<OpenTask | null> {
    const { host, log } = this.#parts;
    try {
      return await host.openTask(id, signal);
    } catch (error) {
      if (!(error instanceof HubProtocolError)) throw error;
      log.error({ taskId: id, err: error }, 'failing a task whose request cannot be parsed');
      await host.failTask(id, { code: faultCodes.generic, message: error.message }, signal);
      return null;
    }
  }

  /** This host takes no task in this round. */
  notNow(why: string): void {
    this.#parts.children.notNow(`this host takes no tasks: ${why}`);
  }

  /** The task runs here. */
  started({ task: { id }, from }: TakenTask): void {
    if (from === 'child') this.#parts.children.taken(id);
    else this.#parts.children.left(id, 'it has assigned it to this host');
  }

  /** Leaves an offered task to other hosts, for good. Where the hub has assigned it, it must be told. */
  async #refuse({ id, method, from }: Offer, why: string, signal: AbortSignal): Promise<void> {
    const { host, version, children, events, log } = this.#parts;
    if (from === 'child') {
      children.left(id, why);
      return;
    }
    log.warn({ taskId: id, method, reason: why }, 'task refused');
    if (await version.assignsTasks(signal)) await host.refuseTask(id, { soft: false, msg: why }, signal);
    else this.#remember(id, false);
    events.emit('task:refused', { taskId: id, method, message: why });
  }

  /**
   * Gives a task that is open here back to the hub, through the session of `host`; this host does not take it again, or
   * with `soft` not for a while.
   */
  async refuseOpen(
    taskId: number,
    { soft, message }: { readonly soft: boolean; readonly message: string },
    host: Pick<HostApi, 'refuseTask'>,
    signal?: AbortSignal,
  ): Promise<void> {
    this.#remember(taskId, soft);
    this.#parts.children.left(taskId, 'it was refused after opening');
    await host.refuseTask(taskId, { soft, msg: message }, signal);
  }

  /** A task here has made a child, which this host may be the one to open. */
  childMade(child: CreatedChild): void {
    this.#parts.children.made(child);
    this.#parts.pace.expectWork();
  }

  /** A task has ended here: the hub is likely to have another one. */
  taskEnded(): void {
    this.#parts.pace.expectWork();
  }

  /** A hub that does not tell what waits there places all children itself: the round continues. */
  async #children(held: HostOccupancy, signal: AbortSignal): Promise<readonly OfferedTask[]> {
    const { children } = this.#parts;
    try {
      return await children.offers(held, signal);
    } catch (error) {
      if (isHubTrouble(error) || signal.aborted) throw error;
      children.giveUp(`cannot read the hub's queue: ${describeError(error)}`);
      return [];
    }
  }

  async #assigned(signal: AbortSignal): Promise<readonly OfferedTask[]> {
    const { host, version, clock } = this.#parts;
    if (await version.assignsTasks(signal)) return host.assignedTasks(signal);
    const load = await host.loadData(signal);
    const nowMs = clock.now();
    const offers = this.#choice.offers(load, await host.hostId(signal), nowMs);
    const upMs = clock.uptime();
    return offers.filter(({ id }) => upMs >= (this.#refusedUntilMs.get(id) ?? upMs));
  }

  #remember(taskId: number, soft: boolean): void {
    const nowMs = this.#parts.clock.uptime();
    for (const [id, untilMs] of this.#refusedUntilMs) if (untilMs <= nowMs) this.#refusedUntilMs.delete(id);
    this.#refusedUntilMs.set(taskId, nowMs + (soft ? softRefusalMs : hardRefusalMs));
  }
}

/** No task waits longer; the memory must not grow for ever. */
const hardRefusalMs = 30 * 24 * 3_600_000;

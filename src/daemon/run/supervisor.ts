import { describeError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { describeDuration, describeWaits } from '../../core/waits.ts';
import { WakeSignal } from '../../core/wake-signal.ts';
import type { OpenTask } from '../../hub/api/schema.ts';
import { SessionLost } from '../../hub/faults.ts';
import type { HubSession } from '../../hub/session/session.ts';
import { showValue } from '../../hub/transport/logged-transport.ts';
import type { JournaledTask, TaskJournal } from '../../journal/task-journal.ts';
import type { OpenedTask } from '../../tasks/adapter.ts';
import { type CancelReason, TaskCancelled, TaskGivenUp } from '../../tasks/errors.ts';
import { type BuilderEvents, endLabels, type OutcomeKind } from '../events.ts';
import type { HostTasks } from './host-tasks.ts';
import { newSeed, type TaskRecord } from './task-record.ts';
import { runTask, type TaskEnvironment, type TaskRun } from './task-runner.ts';

interface Running {
  readonly parentId: number | null;
  readonly method: string;
  readonly startedMs: number;
  readonly abort: AbortController;
  readonly wake: WakeSignal;
  readonly done: Promise<OutcomeKind>;
}

export interface SupervisorParts {
  readonly environment: TaskEnvironment;
  /** The main session, of which each task gets a subsession. */
  readonly session: HubSession;
  readonly journal: TaskJournal<TaskRecord>;
  readonly hostTasks: HostTasks;
  readonly events: BuilderEvents;
  readonly log: Logger;
}

/**
 * The tasks that run here. Started by the poll loop, each with a session and its own abort signal;
 * woken when the hub or a sibling says so; cancelled with a reason.
 */
export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #running = new Map<number, Running>();
  /** The main session is gone: nothing can be told to the hub any more. */
  #lost: SessionLost | null = null;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
  }

  get taskIds(): readonly number[] {
    return [...this.#running.keys()];
  }

  has(taskId: number): boolean {
    return this.#running.has(taskId);
  }

  /** What each task waits for, in a line each, and what is waited for outside of tasks. */
  async describeWaits(): Promise<readonly string[]> {
    const { clock, buildrootHost } = this.#parts.environment;
    const now = clock.uptime();
    const lines = [...this.#running].map(async ([taskId, { method, startedMs, abort }]) => {
      const stopping = abort.signal.aborted ? ', being stopped' : '';
      const head = `task ${taskId} ${method}, here for ${describeDuration(now - startedMs)}${stopping}`;
      return describeWaits(head, await buildrootHost.waits.list(taskId));
    });
    const others = await buildrootHost.waits.list(null);
    return [
      ...(await Promise.all(lines)),
      ...(others.length === 0 ? [] : [describeWaits('no task', others)]),
    ];
  }

  /** The error with which the session was lost, when a task noticed it. */
  get lost(): SessionLost | null {
    return this.#lost;
  }

  /** Starts a task; resolves once it runs. When it gets no session or no journal it rejects, and the task does not run here. */
  async start(opened: OpenedTask, signal: AbortSignal): Promise<void> {
    const taken = await this.#unlessGivenUp(opened);
    const session = await this.#parts.session.subsession(signal);
    const seed = newSeed(this.#parts.environment.random);
    const { task } = taken;
    const history = await this.#parts.journal
      .begin(task.id, { task, sessionId: session.info.id, seed })
      .catch(async (error: unknown) => {
        await session
          .logout()
          .catch((failure: unknown) => this.#parts.log.warn({ err: failure }, 'task session left open'));
        throw error;
      });
    this.#run(taken, { session, history, seed });
  }

  /** Resumes a task that a previous run of the daemon has begun. */
  async resume(
    taken: OpenedTask,
    { head, history }: JournaledTask<TaskRecord>,
    signal: AbortSignal,
  ): Promise<void> {
    const session =
      (await this.#parts.session.resumeSubsession(head.sessionId)) ??
      (await this.#parts.session.subsession(signal));
    this.#run(await this.#unlessGivenUp(taken), { session, history, seed: head.seed });
  }

  /** The task, or one that fails: it was at work too often when a run ended uncleanly. One that only looks and waits is no cause of that. */
  async #unlessGivenUp(taken: OpenedTask): Promise<OpenedTask> {
    const { task, adapter } = taken;
    const why = adapter.replay === false ? null : await this.#parts.journal.troubles.whyGivenUp(task.id);
    return why === null ? taken : { ...taken, params: { error: new TaskGivenUp(why) } };
  }

  #run({ task, adapter, params }: OpenedTask, own: Pick<TaskRun, 'session' | 'history' | 'seed'>): void {
    const abort = new AbortController();
    const wake = new WakeSignal();
    const log = this.#parts.log.child({ taskId: task.id, method: task.method });
    const startedMs = this.#parts.environment.clock.uptime();
    const running = runTask(
      {
        task,
        adapter,
        params,
        signal: abort.signal,
        wake,
        log,
        ...own,
        forget: () => this.#parts.journal.remove(task.id),
        troubles: this.#parts.journal.troubles,
        hostTasks: this.#parts.hostTasks,
      },
      this.#parts.environment,
    );
    const done = running.then(
      (outcome) => this.#ended(task, outcome, startedMs),
      (error: unknown) => this.#broken(task, error, startedMs),
    );
    this.#running.set(task.id, {
      parentId: task.parentId,
      method: task.method,
      startedMs,
      abort,
      wake,
      done,
    });
    this.#parts.events.emit('task:started', { taskId: task.id, method: task.method });
    const { id: sessionId } = own.session.info;
    log.info({ arch: task.arch, sessionId }, own.history.resumed ? 'task resumed' : 'task started');
    log.debug({ params: showValue(task.request) }, 'task parameters');
  }

  /** The hub has news for a waiting task. */
  wake(taskId: number): void {
    this.#running.get(taskId)?.wake.wake();
  }

  /** Stops a task; its containers and files go, the hub is told nothing by it. Repeatable; the first reason counts. */
  cancel(taskId: number, reason: CancelReason): void {
    const running = this.#running.get(taskId);
    if (running === undefined || running.abort.signal.aborted) return;
    running.abort.abort(new TaskCancelled(reason));
  }

  /** Whether the task is being stopped and cleans up. */
  isStopping(taskId: number): boolean {
    return this.#running.get(taskId)?.abort.signal.aborted ?? false;
  }

  /** Stops all tasks and resolves when everything of them is gone. */
  async cancelAll(reason: CancelReason): Promise<void> {
    for (const taskId of this.taskIds) this.cancel(taskId, reason);
    await this.settled();
  }

  /** Resolves when the task runs no more. */
  async ended(taskId: number): Promise<void> {
    await this.#running.get(taskId)?.done;
  }

  /** Resolves when no task runs any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  #ended(task: OpenTask, outcome: OutcomeKind, startedMs: number): OutcomeKind {
    this.#running.delete(task.id);
    const durationMs = this.#parts.environment.clock.uptime() - startedMs;
    const { id: taskId, method } = task;
    this.#parts.log.info({ taskId, method, end: endLabels[outcome], durationMs }, 'task ended');
    // A parent that runs here need not wait for the hub's alert to come round.
    if (task.parentId !== null) this.wake(task.parentId);
    this.#parts.hostTasks.taskEnded();
    this.#parts.events.emit('task:ended', { taskId, method, outcome, durationMs });
    return outcome;
  }

  #broken(task: OpenTask, error: unknown, startedMs: number): OutcomeKind {
    if (error instanceof SessionLost) this.#lost ??= error;
    else
      this.#parts.log.error({ taskId: task.id, err: error }, `task runner crashed: ${describeError(error)}`);
    return this.#ended(task, 'nothing', startedMs);
  }
}

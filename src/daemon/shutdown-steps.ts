import { withDeadline } from '../core/deadline.ts';
import type { Logger } from '../core/logger.ts';
import { hubApis } from '../hub/api/apis.ts';
import type { HubSession } from '../hub/session/session.ts';
import type { TaskJournal } from '../journal/task-journal.ts';
import type { CancelReason } from '../tasks/errors.ts';
import type { Housekeeping } from './recovery/housekeeping.ts';
import type { Supervisor } from './run/supervisor.ts';
import type { TaskRecord } from './run/task-record.ts';
import type { TaskEnvironment } from './run/task-runner.ts';

/** How long the last words to the hub may take when the daemon ends. */
const finalReportMs = 20_000;

export interface ShutdownParts {
  readonly session: HubSession;
  readonly journal: TaskJournal<TaskRecord>;
  readonly environment: TaskEnvironment;
  readonly supervisor: Supervisor;
  readonly housekeeping: Housekeeping;
  /** How long tasks that were stopped may take to tidy up before the daemon ends without them. */
  readonly graceMs: number;
  readonly log: Logger;
}

/** What the daemon does with tasks and session when it takes no tasks any more. It also ends when the hub does not answer. */
export class ShutdownSteps {
  readonly #parts: ShutdownParts;

  constructor(parts: ShutdownParts) {
    this.#parts = parts;
  }

  /**
   * The end of all tasks and the last words about it. Not ready comes first, or the hub could assign here
   * what is just being given back. What is open here is asked of the hub: a task that was being opened when
   * the daemon was stopped is known to the hub alone.
   */
  async free(): Promise<void> {
    const byMs = this.#deadlineMs();
    const { host } = this.#apis();
    await this.#stopAll();
    await this.#say('tasks freed', async (signal) => {
      const open = await host.heldTasks(signal);
      if (open.length > 0)
        await host.freeTasks(
          open.map(({ id }) => id),
          signal,
        );
    });
    await this.#parts.housekeeping.finishBackground(byMs);
    await this.#logout();
  }

  /** As `free`, but what is open here stays so, for the next start. */
  async leave(): Promise<void> {
    await this.#stopAll();
    await this.#logout();
  }

  /** The end of all tasks when nothing can be told to the hub any more. */
  async withoutHub(): Promise<void> {
    const byMs = this.#deadlineMs();
    await this.#stopTasks('session-lost');
    await this.#parts.housekeeping.finishBackground(byMs);
  }

  /**
   * The last words when tasks are left to the next start: not ready, or the hub would give this host more of them. The
   * session stays open, and tasks are not stopped: from here on it is as if the daemon had been killed.
   */
  async handOver(): Promise<void> {
    const { log, journal, supervisor } = this.#parts;
    const { host } = this.#apis();
    await journal
      .handOver(supervisor.taskIds)
      .catch((error: unknown) =>
        log.warn(
          { err: error },
          'recording the handover of tasks failed, the next start counts an unclean end',
        ),
      );
    await this.#say('not ready', async (signal) => {
      const held = await host.heldTasks(signal);
      const load = held.filter(({ waiting }) => !waiting).reduce((sum, { weight }) => sum + weight, 0);
      await host.updateHost(load, false, undefined, signal);
    });
    log.info({ taskIds: supervisor.taskIds }, 'tasks left to the next start');
  }

  async #stopAll(): Promise<void> {
    const { host } = this.#apis();
    const notReady = this.#say('not ready', (signal) => host.updateHost(0, false, undefined, signal));
    await this.#stopTasks('shutdown');
    await notReady;
  }

  async #stopTasks(reason: CancelReason): Promise<void> {
    const { environment, graceMs, supervisor, log } = this.#parts;
    await withDeadline(environment.clock, graceMs, 'stopping the tasks', () =>
      supervisor.cancelAll(reason),
    ).catch((error: unknown) =>
      log.error(
        { err: error, taskIds: supervisor.taskIds },
        'tasks did not stop in time and are left as they are',
      ),
    );
  }

  async #logout(): Promise<void> {
    await this.#say('logout', () => this.#parts.session.logout());
  }

  async #say(what: string, words: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { environment, log } = this.#parts;
    await withDeadline(environment.clock, finalReportMs, `reporting to the hub: ${what}`, words).catch(
      (error: unknown) => log.warn({ err: error }, `not reported to the hub: ${what}`),
    );
  }

  /** When the time to tidy up is over, by the clock's uptime. */
  #deadlineMs(): number {
    return this.#parts.environment.clock.uptime() + this.#parts.graceMs;
  }

  #apis() {
    return hubApis(this.#parts.session, this.#parts.environment.clock);
  }
}

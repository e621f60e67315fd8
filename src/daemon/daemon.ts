import type { CacheBudget } from '../cache/eviction.ts';
import { formatAcceptRules } from '../config/options/accept-rules.ts';
import { withDeadline } from '../core/deadline.ts';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { hubApis } from '../hub/api/apis.ts';
import { SessionLost } from '../hub/faults.ts';
import type { HubSession } from '../hub/session/session.ts';
import type { Restarts } from '../journal/restarts.ts';
import type { TaskJournal } from '../journal/task-journal.ts';
import type { TaskAdapter } from '../tasks/adapter.ts';
import type { CancelReason } from '../tasks/errors.ts';
import { taskRegistry } from '../tasks/registry.ts';
import type { BuilderEvents } from './events.ts';
import { whyMethodRefused } from './intake/acceptance.ts';
import { SpaceMaker } from './intake/disk-pressure.ts';
import type { HostProbe } from './intake/host-probe.ts';
import { OwnChildren } from './intake/own-children.ts';
import { TaskSource } from './intake/task-source.ts';
import { Pace } from './poll-backoff.ts';
import { PollLoop } from './poll-loop.ts';
import { Housekeeping } from './recovery/housekeeping.ts';
import { findResumableTasks, goOnWith, type KeptSessions } from './recovery/resume-tasks.ts';
import { Supervisor } from './run/supervisor.ts';
import type { TaskHead } from './run/task-record.ts';
import type { TaskEnvironment } from './run/task-runner.ts';

/** Exit codes of the daemon, as `sysexits.h` and kojid's users know them. */
export const exitCode = { stopped: 0, failed: 1, restart: 75, config: 78 } as const;

/** How long the last words to the hub may take when the daemon ends. */
const farewellMs = 20_000;

/**
 * What becomes of running tasks: `handover` leaves them to the next start, `drain` waits for their end, `free` gives
 * them back to the hub.
 */
export type Shutdown = 'handover' | 'drain' | 'free';

export interface DaemonSettings {
  /** kojid's `sleeptime`: the longest pause between two rounds with the hub. */
  readonly sleepMs: number;
  /** kojid's `maxjobs`. */
  readonly maxJobs: number;
  /** How long tasks that were stopped may take to tidy up before the daemon ends without them. */
  readonly shutdownGraceMs: number;
  /** What `stop` does with running tasks. */
  readonly shutdown: Shutdown;
  readonly cacheBudget: CacheBudget;
}

export interface DaemonParts {
  readonly session: HubSession;
  readonly sessions: KeptSessions;
  /** What tasks have done, in previous runs, too. */
  readonly journal: TaskJournal<TaskHead>;
  readonly restarts: Restarts;
  readonly environment: TaskEnvironment;
  readonly probe: Pick<HostProbe, 'look'>;
  readonly events: BuilderEvents;
  readonly settings: DaemonSettings;
  readonly log: Logger;
  /** Resume the tasks that a previous run has begun; else they are given back to the hub. */
  readonly goOn: boolean;
  /** Log in, tidy up, and end: kojid's `--skip-main`. */
  readonly skipMain: boolean;
  /** Take one task, and end with it: kojid's `--single`. */
  readonly single: boolean;
  /** Log everything about tasks, whatever the log's level: kojid's `--debug-task`. */
  readonly debugTask: boolean;
}

/**
 * The builder from login to logout: resumes what a previous run has begun, polls, and stops in one of three
 * ways. `stop` does with running tasks what the configuration says; `drain` lets them finish and asks for a restart.
 * Both may be asked for at any time, also before `run`.
 */
export class Daemon {
  readonly #parts: DaemonParts;
  readonly #stopping = new AbortController();
  readonly #pace: Pace;
  readonly #supervisor: Supervisor;
  readonly #loop: PollLoop;
  readonly #housekeeping: Housekeeping;
  readonly #registry: ReadonlyMap<string, TaskAdapter>;
  #how: Shutdown | null = null;
  /** The service manager is to start the daemon again. */
  #again = false;
  /** The tasks of a previous run were resumed, or there were none. */
  #wentOn = false;
  /** When the time to tidy up is over. */
  #stopByMs = 0;

  constructor(parts: DaemonParts) {
    const { session, environment, events, log, probe, settings } = parts;
    const { host, tags, repos, version, queue } = hubApis(session, environment.clock);
    const registry = taskRegistry({
      stopAfter: (taskId) => this.#after(taskId, () => this.stop()),
      restartAfter: async (taskId) => {
        await parts.restarts.note(taskId);
        this.#after(taskId, () => this.#restart());
      },
      hasRestartedSince: (taskId) => parts.restarts.hasHappened(taskId),
    });
    const { kojid, adjutant } = environment.config;
    const { accept } = adjutant;
    this.#parts = parts;
    this.#registry = registry;
    this.#pace = new Pace(environment.clock, settings.sleepMs);
    const children = new OwnChildren({
      mode: adjutant.assign_children,
      queue,
      host,
      version,
      maxJobs: settings.maxJobs,
      weightOf: (method) =>
        whyMethodRefused(accept, method) === null ? (registry.get(method)?.weight ?? null) : null,
      events,
      log,
    });
    const source = new TaskSource({
      host,
      version,
      children,
      registry,
      pace: this.#pace,
      clock: environment.clock,
      availDelayMs: kojid.task_avail_delay * 1000,
      events,
      log,
    });
    this.#supervisor = new Supervisor({
      environment,
      session,
      journal: parts.journal,
      hostTasks: source,
      events,
      log: parts.debugTask ? log.child({}, { level: 'debug' }) : log,
    });
    this.#housekeeping = new Housekeeping({
      environment,
      log,
      cacheBudget: settings.cacheBudget,
      isRunning: (taskId) => this.#supervisor.has(taskId),
    });
    this.#loop = new PollLoop({
      host,
      source,
      supervisor: this.#supervisor,
      probe: new SpaceMaker(probe, environment.buildrootHost.cache, environment.clock, log),
      decision: { accept, registry, host, tags, repos, log },
      events,
      maxJobs: settings.maxJobs,
      single: parts.single,
      pace: this.#pace,
      clock: environment.clock,
      log,
    });
  }

  /** Runs until the daemon is stopped or fails; resolves with the exit code. The session is closed. */
  async run(): Promise<number> {
    const { log } = this.#parts;
    const signal = this.#stopping.signal;
    let failure: unknown = null;
    try {
      await this.#work(signal);
    } catch (error) {
      // Told to stop, everything that waits is given up: no failure.
      if (!signal.aborted) {
        failure = error;
        log.fatal({ err: error }, `fatal error: ${describeError(error)}`);
      }
    }
    this.#stopping.abort();
    this.#stopByMs = this.#parts.environment.clock.uptime() + this.#parts.settings.shutdownGraceMs;
    if (failure instanceof SessionLost) {
      await this.#stopTasks('session-lost');
      await this.#housekeeping.finishBackground(this.#stopByMs);
    } else if (this.#how === 'handover' && this.#supervisor.taskIds.length > 0) await this.#handOver();
    else await this.#farewell();
    if (failure !== null) return exitCode.failed;
    return this.#again ? exitCode.restart : exitCode.stopped;
  }

  /** Ends the daemon, and does with running tasks what the configuration says. Asked again it does not wait for them. */
  stop(): void {
    const { shutdown } = this.#parts.settings;
    if (shutdown === 'drain' && this.#how === null) this.#drain();
    else {
      this.#again = false;
      this.#end(shutdown === 'handover' ? 'handover' : 'free');
    }
  }

  /** Logs what each task waits for, and since when. */
  async tellWaits(): Promise<void> {
    const lines = await this.#supervisor.describeWaits();
    for (const line of lines) this.#parts.log.info(line);
    if (lines.length === 0) this.#parts.log.info('no task is running, and nothing is waited for');
  }

  /** Takes no new task, waits for those that run, and ends with the code that asks for a restart. */
  drain(): void {
    if (this.#how !== null) return;
    this.#again = true;
    this.#drain();
  }

  /** Ends as `stop` does where tasks are handed over, else as `drain`; with the code that asks for a restart. */
  #restart(): void {
    if (this.#how !== null) return;
    this.#again = true;
    if (this.#parts.settings.shutdown === 'handover') this.#end('handover');
    else this.#drain();
  }

  #drain(): void {
    this.#announce('drain', 'draining: the daemon ends when its tasks have');
    this.#loop.drain();
  }

  #end(how: 'handover' | 'free'): void {
    if (this.#stopping.signal.aborted) return;
    const fate =
      how === 'handover' ? 'running tasks are left to the next start' : 'tasks go back to the queue';
    this.#announce(how, `stopping: ${fate}`);
    this.#stopping.abort();
  }

  #announce(how: Shutdown, message: string): void {
    this.#how = how;
    this.#parts.events.emit('daemon:stopping', { how });
    this.#parts.log.info(message);
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { session, sessions, journal, environment, events, log, goOn, skipMain } = this.#parts;
    const { host, buildroots, version } = hubApis(session, environment.clock);
    const hub = await version.requireSupported(signal);
    const { id, name } = await host.host(signal);
    const begun = await findResumableTasks(goOn, journal, this.#registry, host, log, signal);
    await this.#housekeeping.afterStart(new Set(begun.map((each) => each.begun.taskId)), signal);
    await goOnWith(begun, this.#supervisor, { session, sessions, host }, log, signal);
    this.#wentOn = true;
    await this.#housekeeping.expireBuildroots(buildroots, id, signal);
    log.info({ hostId: id, hostName: name, hub }, 'ready');
    const accepted = formatAcceptRules(environment.config.adjutant.accept);
    if (accepted !== '')
      log.warn({ accept: accepted }, 'accepting only these tasks, refusing all others for good');
    events.emit('daemon:ready', { hostId: id, hostName: name });
    if (skipMain) return;
    const over = new AbortController();
    const tidying = this.#housekeeping.keepTidy(buildroots, id, AbortSignal.any([signal, over.signal]));
    try {
      await this.#loop.run(signal);
    } finally {
      over.abort();
      await tidying;
    }
  }

  /** Does something when a task has ended and the hub knows. */
  #after(taskId: number, then: () => void): void {
    this.#supervisor
      .ended(taskId)
      .then(then, (error: unknown) => this.#parts.log.error({ err: error }, 'waiting for a task failed'));
  }

  async #stopTasks(reason: CancelReason): Promise<void> {
    const { environment, settings, log } = this.#parts;
    await withDeadline(environment.clock, settings.shutdownGraceMs, 'stopping the tasks', () =>
      this.#supervisor.cancelAll(reason),
    ).catch((error: unknown) =>
      log.error(
        { err: error, taskIds: this.#supervisor.taskIds },
        'tasks did not stop in time and are left as they are',
      ),
    );
  }

  /**
   * The end of all tasks and the last words about it. Not ready comes first, or the hub could assign here
   * what is just being given back. What is open here is asked of the hub: a task that was being opened when
   * the daemon was stopped is known to the hub alone. The daemon also ends when the hub does not answer.
   */
  async #farewell(): Promise<void> {
    const { session, environment } = this.#parts;
    const { host } = hubApis(session, environment.clock);
    const notReady = this.#say('not ready', (signal) => host.updateHost(0, false, undefined, signal));
    await this.#stopTasks('shutdown');
    await notReady;
    // Stopped before it had resumed what a previous run has begun: the next start does.
    if (this.#how === 'handover' && !this.#wentOn) return this.#say('logout', () => session.logout());
    await this.#say('tasks freed', async (signal) => {
      const open = await host.heldTasks(signal);
      if (open.length > 0)
        await host.freeTasks(
          open.map(({ id }) => id),
          signal,
        );
    });
    await this.#housekeeping.finishBackground(this.#stopByMs);
    await this.#say('logout', () => session.logout());
  }

  /**
   * The last words when tasks are left to the next start: not ready, or the hub would give this host more of them. The
   * session stays open, and tasks are not stopped: from here on it is as if the daemon had been killed.
   */
  async #handOver(): Promise<void> {
    const { session, environment, log, journal } = this.#parts;
    const { host } = hubApis(session, environment.clock);
    await journal
      .handOver(this.#supervisor.taskIds)
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
    log.info({ taskIds: this.#supervisor.taskIds }, 'tasks left to the next start');
  }

  async #say(what: string, words: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { environment, log } = this.#parts;
    await withDeadline(environment.clock, farewellMs, `reporting to the hub: ${what}`, words).catch(
      (error: unknown) => log.warn({ err: error }, `not reported to the hub: ${what}`),
    );
  }
}

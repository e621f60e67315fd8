import type { CacheBudget } from '../cache/eviction.ts';
import { formatAcceptRules } from '../config/options/accept-rules.ts';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { hubApis } from '../hub/api/apis.ts';
import { SessionLost } from '../hub/faults.ts';
import type { HubSession } from '../hub/session/session.ts';
import type { Restarts } from '../journal/restarts.ts';
import type { TaskJournal } from '../journal/task-journal.ts';
import type { TaskAdapter } from '../tasks/adapter.ts';
import { taskRegistry } from '../tasks/registry.ts';
import type { BuilderEvents } from './events.ts';
import { whyMethodRefused } from './intake/acceptance.ts';
import { DiskPressure } from './intake/disk-pressure.ts';
import type { HostProbe } from './intake/host-probe.ts';
import { OwnChildren } from './intake/own-children.ts';
import { TaskSource } from './intake/task-source.ts';
import { PollBackoff } from './poll-backoff.ts';
import { PollLoop } from './poll-loop.ts';
import { Housekeeping } from './recovery/housekeeping.ts';
import { findResumableTasks, type KeptSessions, resumeTasks } from './recovery/resume-tasks.ts';
import { Supervisor } from './run/supervisor.ts';
import type { TaskRecord } from './run/task-record.ts';
import type { TaskEnvironment } from './run/task-runner.ts';
import { ShutdownSteps } from './shutdown-steps.ts';

/** Exit codes of the daemon, as `sysexits.h` and kojid's users know them. */
export const exitCode = { stopped: 0, failed: 1, restart: 75, config: 78 } as const;

/**
 * What the daemon is at:
 *
 *     starting ---> running ---> draining
 *        |             |            |
 *        +-------------+------------+---> handing over ---+
 *        |             |            |                     +---> ended
 *        +-------------+------------+---> freeing --------+
 *
 * - starting: asks the hub, tidies up, resumes the tasks of the previous run. It may be told to drain meanwhile; then
 *   it resumes them all the same.
 * - running: polls, and takes tasks.
 * - draining: takes no new task, and ends when the last one has.
 * - handing over: ends; tasks are left as they are to the next start.
 * - freeing: ends; tasks go back to the queue. Also when there are none: drained, failed, or not to take any.
 * - ended: `run` has resolved.
 */
type DaemonState = 'starting' | 'running' | 'draining' | 'handing over' | 'freeing' | 'ended';

const mayBecome: Readonly<Record<DaemonState, readonly DaemonState[]>> = {
  starting: ['running', 'draining', 'handing over', 'freeing'],
  running: ['draining', 'handing over', 'freeing'],
  draining: ['handing over', 'freeing'],
  'handing over': ['ended'],
  freeing: ['ended'],
  ended: [],
};

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
  readonly journal: TaskJournal<TaskRecord>;
  readonly restarts: Restarts;
  readonly environment: TaskEnvironment;
  readonly probe: Pick<HostProbe, 'look'>;
  readonly events: BuilderEvents;
  readonly settings: DaemonSettings;
  readonly log: Logger;
  /** Resume the tasks that a previous run has begun; else they are given back to the hub. */
  readonly resume: boolean;
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
  readonly #pace: PollBackoff;
  readonly #supervisor: Supervisor;
  readonly #loop: PollLoop;
  readonly #housekeeping: Housekeeping;
  readonly #registry: ReadonlyMap<string, TaskAdapter>;
  readonly #shutdown: ShutdownSteps;
  #state: DaemonState = 'starting';
  /** The service manager is to start the daemon again. */
  #again = false;
  /** The tasks of a previous run were resumed, or there were none. */
  #hasResumed = false;

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
    this.#pace = new PollBackoff(environment.clock, settings.sleepMs);
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
      tags,
      repos,
      accept,
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
    this.#shutdown = new ShutdownSteps({
      session,
      journal: parts.journal,
      environment,
      supervisor: this.#supervisor,
      housekeeping: this.#housekeeping,
      graceMs: settings.shutdownGraceMs,
      log,
    });
    this.#loop = new PollLoop({
      host,
      source,
      supervisor: this.#supervisor,
      probe: new DiskPressure(probe, environment.buildrootHost.cache, environment.clock, log),
      methods: [...registry.keys()],
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
    if (this.#mayBecome('freeing')) this.#enter('freeing');
    await this.#shutdownFor(failure);
    this.#enter('ended');
    if (failure !== null) return exitCode.failed;
    return this.#again ? exitCode.restart : exitCode.stopped;
  }

  /** Does what is left to do with tasks and session, by the state and what has ended the work. */
  async #shutdownFor(failure: unknown): Promise<void> {
    if (failure instanceof SessionLost) return this.#shutdown.withoutHub();
    if (this.#state !== 'handing over') return this.#shutdown.free();
    if (this.#supervisor.taskIds.length > 0) return this.#shutdown.handOver();
    // Stopped before it had resumed what a previous run has begun: the next start does.
    return this.#hasResumed ? this.#shutdown.free() : this.#shutdown.leave();
  }

  /** Ends the daemon, and does with running tasks what the configuration says. Asked again it does not wait for them. */
  stop(): void {
    const { shutdown } = this.#parts.settings;
    if (shutdown === 'drain' && this.#mayBecome('draining')) this.#drain();
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
    if (!this.#mayBecome('draining')) return;
    this.#again = true;
    this.#drain();
  }

  /** Ends as `stop` does where tasks are handed over, else as `drain`; with the code that asks for a restart. */
  #restart(): void {
    if (!this.#mayBecome('draining')) return;
    this.#again = true;
    if (this.#parts.settings.shutdown === 'handover') this.#end('handover');
    else this.#drain();
  }

  #drain(): void {
    this.#enter('draining');
    this.#announce('drain', 'draining: the daemon ends when its tasks have');
    this.#loop.drain();
  }

  #end(how: 'handover' | 'free'): void {
    const state = how === 'handover' ? 'handing over' : 'freeing';
    if (!this.#mayBecome(state)) return;
    this.#enter(state);
    const fate =
      how === 'handover' ? 'running tasks are left to the next start' : 'tasks go back to the queue';
    this.#announce(how, `stopping: ${fate}`);
    this.#stopping.abort();
  }

  #mayBecome(state: DaemonState): boolean {
    return mayBecome[this.#state].includes(state);
  }

  #enter(state: DaemonState): void {
    if (!this.#mayBecome(state))
      throw new Error(`the daemon is ${this.#state}, which does not become ${state}`);
    this.#state = state;
  }

  #announce(how: Shutdown, message: string): void {
    this.#parts.events.emit('daemon:stopping', { how });
    this.#parts.log.info(message);
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { session, sessions, journal, environment, events, log, resume, skipMain } = this.#parts;
    const { host, buildroots, version } = hubApis(session, environment.clock);
    const hub = await version.requireSupported(signal);
    const { id, name } = await host.host(signal);
    const begun = await findResumableTasks(resume, journal, this.#registry, host, log, signal);
    await this.#housekeeping.afterStart(new Set(begun.map((each) => each.begun.taskId)), signal);
    await resumeTasks(begun, this.#supervisor, { session, sessions, host }, log, signal);
    this.#hasResumed = true;
    if (this.#mayBecome('running')) this.#enter('running');
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
}

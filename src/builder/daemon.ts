import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reapStrays } from '../container/reaper.ts';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { hubApis } from '../hub/apis.ts';
import { SessionLost } from '../hub/faults.ts';
import type { HubSession } from '../hub/session.ts';
import { taskRegistry } from '../tasks/registry.ts';
import { expireDeadBuildroots } from './buildroot-janitor.ts';
import type { BuilderEvents } from './events.ts';
import type { HostProbe } from './host-probe.ts';
import { PollLoop, type PollSettings } from './poll-loop.ts';
import { Supervisor } from './supervisor.ts';
import type { TaskEnvironment } from './task-runner.ts';

/** Exit codes of the daemon, as `sysexits.h` and kojid's users know them. */
export const exitCode = { stopped: 0, failed: 1, restart: 75, config: 78 } as const;

/** How long the last words to the hub may take when the daemon stops. */
const farewellMs = 20_000;
/** How often buildroots of dead tasks are looked for while the daemon runs. */
const janitorEveryMs = 5 * 60_000;

export interface DaemonParts {
  readonly session: HubSession;
  readonly environment: TaskEnvironment;
  readonly probe: HostProbe;
  readonly events: BuilderEvents;
  readonly settings: PollSettings;
  readonly log: Logger;
  /** Log in, tidy up, and end: kojid's `--skip-main`. */
  readonly skipMain: boolean;
}

/**
 * The builder from login to logout: deals with what an earlier life left, polls, and stops in one of two
 * ways. `stop` ends all tasks and gives them back to the hub; `drain` lets them finish.
 */
export class Daemon {
  readonly #parts: DaemonParts;
  readonly #stopping = new AbortController();
  #how: 'stop' | 'drain' | null = null;
  #loop: PollLoop | null = null;
  #endAfterTask: number | null = null;

  constructor(parts: DaemonParts) {
    this.#parts = parts;
  }

  /** Runs until the daemon is told to stop or cannot go on; resolves with the exit code. The session is closed. */
  async run(): Promise<number> {
    const { session, environment, events, settings, log, probe } = this.#parts;
    const { host, buildroots, tags } = hubApis(session, environment.clock);
    const signal = this.#stopping.signal;
    const supervisor = new Supervisor(environment, session, events, log);
    const registry = taskRegistry({ stopAfter: (taskId) => this.#stopAfter(taskId) });
    try {
      const { id, name } = await host.host(signal);
      await this.#tidyUp(id, supervisor, signal);
      events.emit('daemon:ready', { hostId: id, hostName: name });
      log.info({ hostId: id, hostName: name, hub: await host.hubVersion(signal) }, 'ready');
      if (this.#parts.skipMain) return exitCode.stopped;
      const loop = new PollLoop({
        host,
        tags,
        registry,
        supervisor,
        probe,
        events,
        settings,
        clock: environment.clock,
        log,
      });
      this.#loop = loop;
      if (this.#how === 'drain') loop.drain();
      const janitor = this.#expireNowAndThen(id, supervisor, buildroots, signal);
      const drained = this.#drained(supervisor);
      await Promise.race([loop.run(signal), drained]);
      this.#stopping.abort();
      await janitor;
    } catch (error) {
      if (!signal.aborted) {
        log.fatal({ err: error }, `the daemon cannot go on: ${describeError(error)}`);
        this.#stopping.abort();
        await supervisor.cancelAll(error instanceof SessionLost ? 'session-lost' : 'shutdown');
        if (!(error instanceof SessionLost)) await this.#farewell(supervisor.taskIds);
        return exitCode.failed;
      }
    }
    const open = supervisor.taskIds;
    await supervisor.cancelAll('shutdown');
    await this.#farewell(open);
    return this.#how === 'drain' ? exitCode.restart : exitCode.stopped;
  }

  /** Ends all tasks, gives them back, and ends the daemon. */
  stop(): void {
    if (this.#how === 'stop') return;
    this.#how = 'stop';
    this.#parts.events.emit('daemon:stopping', { how: 'stop' });
    this.#parts.log.info('stopping: tasks go back to the queue');
    this.#stopping.abort();
  }

  /** Takes no new task, waits for those that run, and ends with the code that asks for a restart. */
  drain(): void {
    if (this.#how !== null) return;
    this.#how = 'drain';
    this.#parts.events.emit('daemon:stopping', { how: 'drain' });
    this.#parts.log.info('draining: the daemon ends when its tasks have');
    this.#loop?.drain();
  }

  #stopAfter(taskId: number): void {
    this.#endAfterTask = taskId;
    this.#parts.events.on('task:ended', ({ taskId: ended }) => {
      if (ended === this.#endAfterTask) this.stop();
    });
  }

  async #tidyUp(hostId: number, supervisor: Supervisor, signal: AbortSignal): Promise<void> {
    const { session, environment, log } = this.#parts;
    const { buildroots } = hubApis(session, environment.clock);
    const { workerId } = environment.buildrootHost;
    await reapStrays(environment.containers, workerId, () => false, log, signal);
    for (const bucket of await readdir(join(environment.workDir, 'tasks')).catch(() => [])) {
      await rm(join(environment.workDir, 'tasks', bucket), { recursive: true, force: true });
    }
    await expireDeadBuildroots(buildroots, hostId, (taskId) => supervisor.has(taskId), log, signal);
  }

  async #expireNowAndThen(
    hostId: number,
    supervisor: Supervisor,
    buildroots: ReturnType<typeof hubApis>['buildroots'],
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#parts.environment;
    const { log } = this.#parts;
    while (!signal.aborted) {
      await clock.sleep(janitorEveryMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      await expireDeadBuildroots(buildroots, hostId, (taskId) => supervisor.has(taskId), log, signal).catch(
        (error: unknown) => log.warn({ err: error }, 'buildroots of dead tasks could not be looked for'),
      );
    }
  }

  /** Resolves when the daemon drains and its last task has ended. */
  #drained(supervisor: Supervisor): Promise<void> {
    const { events } = this.#parts;
    return new Promise((resolve) => {
      const look = () => {
        if (this.#how === 'drain' && supervisor.taskIds.length === 0) resolve();
      };
      events.on('task:ended', look);
      events.on('poll:done', look);
    });
  }

  /** The last words: tasks given back, not ready, logged out. The daemon ends also when the hub does not listen. */
  async #farewell(open: readonly number[]): Promise<void> {
    const { session, environment, log } = this.#parts;
    const { host } = hubApis(session, environment.clock);
    const signal = AbortSignal.timeout(farewellMs);
    const say = async (what: string, words: () => Promise<void>) => {
      await words().catch((error: unknown) => log.warn({ err: error }, `the hub was not told: ${what}`));
    };
    if (open.length > 0) await say('tasks freed', () => host.freeTasks(open, signal));
    await say('not ready', () => host.updateHost(0, false, undefined, signal));
    await say('logout', () => session.logout());
  }
}

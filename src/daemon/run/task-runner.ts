import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BuildrootHost } from '../../buildroot/host.ts';
import type { Config } from '../../config/schema.ts';
import type { ContainerManager } from '../../container/manager.ts';
import type { Clock } from '../../core/clock.ts';
import { withDeadline } from '../../core/deadline.ts';
import { describeError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { WakeUp } from '../../core/wake-signal.ts';
import { hubApis } from '../../hub/api/apis.ts';
import { HostApi } from '../../hub/api/host.ts';
import { faultCodes, isFault, SessionLost } from '../../hub/faults.ts';
import type { HubFiles } from '../../hub/files.ts';
import { RememberedSession } from '../../hub/session/replaying-session.ts';
import type { HubSession } from '../../hub/session/session.ts';
import { WatchedSession } from '../../hub/session/watched-session.ts';
import { showValue } from '../../hub/transport/logged-transport.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { noHistory } from '../../journal/history.ts';
import type { TaskHistory } from '../../journal/task-history.ts';
import { mostInARow, type TaskTroubles } from '../../journal/task-troubles.ts';
import { TaskLogs } from '../../logs/task-logs.ts';
import type { PolicyResolver } from '../../policy/resolver.ts';
import type { RunningTask, TaskAdapter, TaskContext } from '../../tasks/adapter.ts';
import { TaskCancelled } from '../../tasks/errors.ts';
import type { RepoNews } from '../../tasks/repo-news.ts';
import { type MadeChild, Subtasks } from '../../tasks/subtasks.ts';
import { TaskUploads } from '../../upload/task-uploads.ts';
import type { TaskEnd } from '../events.ts';
import { mayBeForRoom, type Outcome, outcomeOf } from './outcome.ts';
import { seeded } from './task-record.ts';

/** How long the last words about a task may take where nothing is lost without them. */
const farewellMs = 60_000;

/** What all tasks of this worker share. */
export interface TaskEnvironment {
  readonly config: Config;
  readonly clock: Clock;
  readonly containers: ContainerManager;
  readonly buildrootHost: BuildrootHost;
  readonly policy: PolicyResolver;
  readonly files: HubFiles;
  readonly repoNews: RepoNews;
  /** The worker's own area, below which each task has a directory. */
  readonly workDir: string;
  random(): number;
}

export interface TaskRun {
  readonly task: RunningTask;
  readonly adapter: TaskAdapter;
  /** Decoded by the adapter's signature, or the error of that. */
  readonly params: { readonly value: unknown } | { readonly error: Error };
  /** The task's own session; closed here at the end. */
  readonly session: HubSession;
  readonly signal: AbortSignal;
  readonly wake: WakeUp;
  readonly log: Logger;
  /** What it has done so far. */
  readonly history: TaskHistory;
  /** Where its chances begin. */
  readonly seed: number;
  /** Called at the very end: the task will not be resumed any more. */
  forget(): Promise<void>;
  /** How it has fared so far, in previous runs and tries, too. */
  readonly troubles: Pick<TaskTroubles, 'noteSoftRefusal' | 'forget'>;
  /** Called when the task has made a child. */
  childMade(child: MadeChild): void;
  /** Called before the hub is told that this host does not do the task. */
  refused(soft: boolean): void;
}

/** A run whose `session` remembers; `forgetful` is the one beneath. */
type GoingTask = TaskRun & { readonly forgetful: HubSession };

/** How the run of a task has ended; not how the hub took that. */
type Ended = { readonly result: RpcValue } | { readonly outcome: Outcome };
/** Recorded as it was given out. */
const Ended = z.custom<Ended>((value) => typeof value === 'object' && value !== null);

/**
 * All of one opened task: its directory, its logs, the adapter's run, the clean-up, and only then
 * the word to the hub, which may send new work at once. A task of the previous run of the daemon is resumed
 * where that was. Never rejects, except with `SessionLost`.
 */
export async function runTask(run: TaskRun, environment: TaskEnvironment): Promise<TaskEnd> {
  const { task, history, log } = run;
  const work = taskDirectory(task.id);
  const directory = { absolute: join(environment.workDir, work), work };
  const forgetful = new WatchedSession(run.session, environment.buildrootHost.waits.of(task.id));
  const session = new RememberedSession(forgetful, history);
  const going = { ...run, session, forgetful };
  let ended: Ended;
  try {
    if (!history.resumed) await rm(directory.absolute, { recursive: true, force: true });
    await mkdir(join(directory.absolute, 'logs'), { recursive: true });
    ended = await runAdapter(going, environment, directory);
  } catch (error) {
    ended = await endOf(run, environment, error);
  } finally {
    await rm(directory.absolute, { recursive: true, force: true }).catch((error: unknown) =>
      log.error({ err: error }, 'removing the task directory failed'),
    );
  }
  try {
    return await tellHub(going, environment.clock, ended);
  } finally {
    await forget(run);
    await withDeadline(environment.clock, farewellMs, 'closing the task session', () =>
      session.logout(),
    ).catch((error: unknown) => log.warn({ err: error }, 'closing the task session failed'));
  }
}

/** What cannot be removed is looked at by the next start, which asks the hub whose task it is. */
async function forget({ history, forget, log }: TaskRun): Promise<void> {
  try {
    await history.close();
    await forget();
  } catch (error) {
    log.error({ err: error }, 'removing the task journal failed');
  }
}

/** What becomes of a task that threw. Throws on when nothing can be told to the hub any more. */
async function endOf(
  run: TaskRun,
  { containers, workDir }: TaskEnvironment,
  error: unknown,
): Promise<{ readonly outcome: Outcome }> {
  const reason: unknown = run.signal.aborted ? run.signal.reason : error;
  const outcome = outcomeOf(reason, mayBeForRoom(reason) && (await containers.lacksRoom([workDir])));
  logEnd(run.log, outcome, reason);
  if (reason instanceof SessionLost) throw reason;
  return { outcome };
}

async function runAdapter(
  run: GoingTask,
  environment: TaskEnvironment,
  directory: TaskContext['directory'],
): Promise<Ended> {
  const { task, session, signal, log, history } = run;
  const { clock } = environment;
  const uploads = new TaskUploads(session, clock, task.id, { resume: history.resumed });
  const logs = new TaskLogs(
    join(directory.absolute, 'logs'),
    (path, name) => uploads.openLog(path, name),
    clock,
    log,
    { timestamps: environment.config.kojid.log_timestamps, resumed: history.isPast },
  );
  history.attach(logs);
  const cleanup = new AsyncDisposableStack();
  const hadEnded = history.isEnded('task');
  try {
    // Before the clean-up: what it removes would have to be made again.
    const ended = await history.recall('task', Ended, { quiet: false }, async () => {
      try {
        return { result: await callAdapter(run, environment, { directory, uploads, logs, cleanup }) };
      } catch (error) {
        return endOf(run, environment, error);
      }
    });
    if (hadEnded) await takeUpAfterEnd(run, environment, logs);
    return ended;
  } finally {
    await cleanup.disposeAsync().catch((error: unknown) => log.error({ err: error }, 'task clean-up failed'));
    if (history.resumed)
      await removeUnclaimed(task.id, environment).catch((error: unknown) =>
        log.error({ err: error }, 'orphaned containers of the task could not be removed'),
      );
    // Of a task that was stopped the hub takes no more bytes.
    if (signal.aborted) await logs.abandon();
    else
      await withDeadline(clock, farewellMs, 'sending the rest of the logs', (late) =>
        logs.finish(AbortSignal.any([signal, late])),
      ).catch((error: unknown) => log.error({ err: error }, 'logs of the task are incomplete on the hub'));
  }
}

async function callAdapter(
  run: GoingTask,
  environment: TaskEnvironment,
  parts: {
    readonly directory: TaskContext['directory'];
    readonly uploads: TaskUploads;
    readonly logs: TaskLogs;
    readonly cleanup: AsyncDisposableStack;
  },
): Promise<RpcValue> {
  const { task, adapter, params, signal, wake, log, seed } = run;
  const { directory, uploads, logs, cleanup } = parts;
  const waits = environment.buildrootHost.waits.of(task.id);
  if ('error' in params) throw params.error;
  const startsAnew = adapter.startsAnew === true;
  const hub = hubApis(startsAnew ? run.forgetful : run.session, environment.clock);
  const context: TaskContext = {
    ...environment,
    task,
    signal,
    log,
    hub,
    directory,
    logs,
    cleanup,
    random: seeded(seed),
    history: startsAnew ? noHistory : run.history,
    outputs: uploads,
    subtasks: new Subtasks(task.id, hub.subtasks, wake, signal, run.childMade, log, waits),
    waits,
  };
  const result = await adapter.run(params.value, context);
  log.debug({ result: showValue(result) }, 'task result');
  return result;
}

/** Removes the containers that a previous run of the task has made, and this one had no use for. */
async function removeUnclaimed(
  taskId: number,
  { containers, buildrootHost }: TaskEnvironment,
): Promise<void> {
  const { workerId, removals, cache } = buildrootHost;
  for (const { id, owner } of await containers.list(workerId, AbortSignal.timeout(farewellMs)))
    if (owner.taskId === taskId && !removals.owns(id) && !cache.failed.holds(id)) await containers.remove(id);
}

/** A previous run has ended the task's work, and perhaps not the clean-up. */
async function takeUpAfterEnd(
  { task, session, signal, log }: TaskRun,
  { clock }: TaskEnvironment,
  logs: TaskLogs,
): Promise<void> {
  const { buildroots } = hubApis(session, clock);
  const states = ['init', 'waiting', 'building'] as const;
  for (const { id } of await buildroots.listBuildroots({ taskId: task.id, states }, signal))
    await buildroots.setBuildRootState(id, 'expired', signal);
  await logs.takeAll();
  log.info('task had finished its work before the restart');
}

async function tellHub(
  run: TaskRun,
  clock: Clock,
  ended: { readonly result: RpcValue } | { readonly outcome: Outcome },
): Promise<TaskEnd> {
  const { task, session, log } = run;
  const host = new HostApi(session);
  try {
    const wanted = 'outcome' in ended ? ended.outcome : await close(run, host, ended.result);
    const outcome = await lastingOutcome(run, wanted);
    switch (outcome?.kind) {
      case undefined:
        return 'closed';
      case 'fail':
        await host.failTask(task.id, { code: outcome.code, message: outcome.message });
        return 'failed';
      case 'refuse':
        run.refused(outcome.soft);
        await host.refuseTask(task.id, { soft: outcome.soft, msg: outcome.message });
        return 'refused';
      case 'free':
        await withDeadline(clock, farewellMs, 'freeing the task', (late) => host.freeTasks([task.id], late));
        return 'freed';
      case 'nothing':
        return 'stopped';
    }
  } catch (error) {
    if (error instanceof SessionLost) throw error;
    // Cancelled or given to another host while it ended: that is what the hub goes by.
    if (isFault(error, faultCodes.actionNotAllowed))
      log.info({ fault: describeError(error) }, 'task was no longer open on this host');
    else
      log.error({ err: error }, 'reporting the outcome to the hub failed; the poll loop will free the task');
    return 'stopped';
  }
}

/**
 * The outcome, or a failure in place of the third soft refusal in a row: what keeps the task from being done may be its own doing,
 * and comes back with it. Puts down how it fared.
 */
async function lastingOutcome(
  { task, troubles, log }: TaskRun,
  outcome: Outcome | null,
): Promise<Outcome | null> {
  try {
    if (outcome?.kind === 'free') return outcome;
    if (outcome?.kind !== 'refuse' || !outcome.soft) {
      await troubles.forget(task.id);
      return outcome;
    }
    const times = await troubles.noteSoftRefusal(task.id);
    if (times < mostInARow) return outcome;
    await troubles.forget(task.id);
    const message = `refused ${times} times in a row by this host, the last time as ${outcome.message}`;
    return { kind: 'fail', code: faultCodes.generic, message, bug: false };
  } catch (error) {
    log.warn({ err: error }, 'recording refusals of the task failed');
    return outcome;
  }
}

/**
 * Closes the task; null when that is done. A result that cannot be sent, or that the hub does not take,
 * fails the task (`koji/daemon.py runTask`): freed, it would be done again only to end in the same way.
 */
async function close(run: TaskRun, host: HostApi, result: RpcValue): Promise<Outcome | null> {
  try {
    await host.closeTask(run.task.id, result);
    return null;
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome.kind !== 'fail' || isFault(error, faultCodes.actionNotAllowed)) throw error;
    logEnd(run.log, outcome, error);
    return outcome;
  }
}

/** Path of a task's directory below the work area, as on the hub: no directory gets too full. */
export function taskDirectory(taskId: number): string {
  return `tasks/${taskId % 10_000}/${taskId}`;
}

function logEnd(log: Logger, outcome: Outcome, error: unknown): void {
  switch (outcome.kind) {
    case 'fail':
      if (outcome.bug) log.error({ err: error }, 'task failed: bug in this builder');
      else
        log.info(
          { fault: outcome.code, reason: outcome.message, cause: describeError(error) },
          'task failed',
        );
      return;
    case 'refuse':
      log.warn({ reason: outcome.message, soft: outcome.soft }, 'task refused after opening');
      return;
    case 'free':
      log.warn({ reason: outcome.message }, 'task freed, it goes back to the queue');
      return;
    case 'nothing':
      log.info(
        { reason: error instanceof TaskCancelled ? error.reason : describeError(error) },
        'task stopped',
      );
  }
}

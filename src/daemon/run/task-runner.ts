import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BuildrootHost } from '../../buildroot/host.ts';
import type { Config } from '../../config/schema.ts';
import type { StepRuntime } from '../../container/step-runtime.ts';
import type { Clock } from '../../core/clock.ts';
import { withDeadline } from '../../core/deadline.ts';
import type { Logger } from '../../core/logger.ts';
import type { WakeUp } from '../../core/wake-signal.ts';
import { hubApis } from '../../hub/api/apis.ts';
import { SessionLost } from '../../hub/faults.ts';
import type { HubFiles } from '../../hub/files.ts';
import { ReplayingSession } from '../../hub/session/replaying-session.ts';
import type { HubSession } from '../../hub/session/session.ts';
import { WatchedSession } from '../../hub/session/watched-session.ts';
import { showValue } from '../../hub/transport/logged-transport.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { noHistory } from '../../journal/history.ts';
import type { TaskHistory } from '../../journal/task-history.ts';
import { TaskLogs } from '../../logs/task-logs.ts';
import type { PolicyResolver } from '../../policy/resolver.ts';
import { TaskSteps } from '../../steps/task-steps.ts';
import type { RunningTask, TaskAdapter, TaskContext } from '../../tasks/adapter.ts';
import type { DecodedParams } from '../../tasks/params.ts';
import type { RepoNews } from '../../tasks/repo-news.ts';
import { toTaskSettings } from '../../tasks/settings.ts';
import { Subtasks } from '../../tasks/subtasks.ts';
import { TaskUploads } from '../../upload/task-uploads.ts';
import type { OutcomeKind } from '../events.ts';
import type { HostTasks } from './host-tasks.ts';
import { isOutcome, logOutcome, mayBeForRoom, type NoResult, type Outcome, outcomeOf } from './outcome.ts';
import { type Report, reportOutcome } from './report.ts';
import { seeded } from './task-record.ts';

/** How long the last words about a task may take where nothing is lost without them. */
const finalReportMs = 60_000;

/** What all tasks of this worker share. */
export interface TaskEnvironment {
  readonly config: Config;
  readonly clock: Clock;
  readonly runtime: StepRuntime;
  readonly buildrootHost: BuildrootHost;
  readonly policy: PolicyResolver;
  readonly files: HubFiles;
  readonly repoNews: RepoNews;
  /** The worker's own area, below which each task has a directory. */
  readonly workDir: string;
  random(): number;
}

/** An opened task, and what it runs with. */
export interface TaskRun extends Pick<Report, 'troubles'> {
  readonly task: RunningTask;
  readonly adapter: TaskAdapter;
  readonly params: DecodedParams;
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
  readonly hostTasks: HostTasks;
}

/** A run whose `session` remembers; `forgetful` is the one beneath. */
type ReplayedRun = TaskRun & { readonly forgetful: HubSession };

/** As a previous run has recorded it. */
const RecordedOutcome = z.custom<Outcome>(isOutcome);

/**
 * All of one opened task: its directory, its logs, the adapter's run, the clean-up, and only then
 * the report to the hub, which may send new work at once. Resolves with what came of that. A task of the previous run of the daemon is resumed
 * where that was. Never rejects, except with `SessionLost`.
 */
export async function runTask(run: TaskRun, environment: TaskEnvironment): Promise<OutcomeKind> {
  const { task, history, log } = run;
  const work = taskDirectory(task.id);
  const directory = { absolute: join(environment.workDir, work), work };
  const forgetful = new WatchedSession(run.session, environment.buildrootHost.waits.of(task.id));
  const session = new ReplayingSession(forgetful, history);
  const going = { ...run, session, forgetful };
  let outcome: Outcome;
  try {
    if (!history.resumed) await rm(directory.absolute, { recursive: true, force: true });
    await mkdir(join(directory.absolute, 'logs'), { recursive: true });
    outcome = await runAdapter(going, environment, directory);
  } catch (error) {
    outcome = await failureOf(run, environment, error);
  } finally {
    await rm(directory.absolute, { recursive: true, force: true }).catch((error: unknown) =>
      log.error({ err: error }, 'removing the task directory failed'),
    );
  }
  try {
    return await reportOutcome({ ...going, clock: environment.clock }, outcome);
  } finally {
    await forget(run);
    await withDeadline(environment.clock, finalReportMs, 'closing the task session', () =>
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
async function failureOf(
  run: TaskRun,
  { runtime, workDir }: TaskEnvironment,
  error: unknown,
): Promise<NoResult> {
  const reason: unknown = run.signal.aborted ? run.signal.reason : error;
  const outcome = outcomeOf(reason, mayBeForRoom(reason) && (await runtime.lacksRoom([workDir])));
  logOutcome(run.log, outcome, reason);
  if (reason instanceof SessionLost) throw reason;
  return outcome;
}

async function runAdapter(
  run: ReplayedRun,
  environment: TaskEnvironment,
  directory: TaskContext['directory'],
): Promise<Outcome> {
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
    const outcome = await history.recall(
      'task',
      RecordedOutcome,
      { unmarked: false },
      async (): Promise<Outcome> => {
        try {
          const result = await callAdapter(run, environment, { directory, uploads, logs, cleanup });
          return { kind: 'close', result };
        } catch (error) {
          return failureOf(run, environment, error);
        }
      },
    );
    if (hadEnded) await takeUpAfterEnd(run, environment, logs);
    return outcome;
  } finally {
    await cleanup.disposeAsync().catch((error: unknown) => log.error({ err: error }, 'task clean-up failed'));
    if (history.resumed)
      await removeUnclaimed(task.id, environment).catch((error: unknown) =>
        log.error({ err: error }, 'orphaned containers of the task could not be removed'),
      );
    // Of a task that was stopped the hub takes no more bytes.
    if (signal.aborted) await logs.abandon();
    else
      await withDeadline(clock, finalReportMs, 'sending the rest of the logs', (late) =>
        logs.finish(AbortSignal.any([signal, late])),
      ).catch((error: unknown) => log.error({ err: error }, 'logs of the task are incomplete on the hub'));
  }
}

async function callAdapter(
  run: ReplayedRun,
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
  if ('error' in params) throw params.error;
  const replay = adapter.replay !== false;
  const hub = hubApis(replay ? run.session : run.forgetful, environment.clock);
  const waits = environment.buildrootHost.waits.of(task.id);
  const { clock, runtime, buildrootHost, policy, files, repoNews } = environment;
  const history = replay ? run.history : noHistory;
  const { removals } = buildrootHost;
  const steps = new TaskSteps({ runtime, history, cleanup, removals, clock, waits, log });
  const context: TaskContext = {
    clock,
    steps,
    buildrootHost,
    containerDefaults: buildrootHost,
    policy,
    files,
    repoNews,
    settings: toTaskSettings(environment.config),
    task,
    signal,
    log,
    hub,
    directory,
    logs,
    cleanup,
    random: seeded(seed),
    history,
    outputs: uploads,
    subtasks: new Subtasks(task.id, hub.subtasks, wake, signal, run.hostTasks, log, waits),
    waits,
  };
  const result = await adapter.run(params.value, context);
  log.debug({ result: showValue(result) }, 'task result');
  return result;
}

/** Removes the containers that a previous run of the task has made, and this one had no use for. */
async function removeUnclaimed(taskId: number, { runtime, buildrootHost }: TaskEnvironment): Promise<void> {
  const { workerId, removals, cache } = buildrootHost;
  for (const { id, owner } of await runtime.list(workerId, AbortSignal.timeout(finalReportMs)))
    if (owner.taskId === taskId && !removals.owns(id) && !cache.failed.holds(id)) await runtime.remove(id);
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

/** Path of a task's directory below the work area, as on the hub: no directory gets too full. */
export function taskDirectory(taskId: number): string {
  return `tasks/${taskId % 10_000}/${taskId}`;
}

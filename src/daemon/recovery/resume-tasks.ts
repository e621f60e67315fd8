import type { Logger } from '../../core/logger.ts';
import type { HostApi } from '../../hub/api/host.ts';
import { taskStates } from '../../hub/api/schema.ts';
import type { HubSession } from '../../hub/session/session.ts';
import type { JournaledTask, TaskJournal } from '../../journal/task-journal.ts';
import type { TaskAdapter } from '../../tasks/adapter.ts';
import { decodeRequest } from '../../tasks/params.ts';
import type { Supervisor } from '../run/supervisor.ts';
import type { TaskRecord } from '../run/task-record.ts';

/**
 * The tasks that previous runs of the daemon have begun and that it resumes: those that the hub still has OPEN on
 * this host, opened at the time the journal says. Of all others nothing is left in the journal: the hub has given
 * them to another host, or they have ended.
 */
async function findJournaledTasks(
  journal: TaskJournal<TaskRecord>,
  host: HostApi,
  log: Logger,
  signal: AbortSignal,
): Promise<readonly JournaledTask<TaskRecord>[]> {
  const begun = await journal.reopen();
  if (begun.length === 0) return [];
  const hostId = await host.hostId(signal);
  const ours: JournaledTask<TaskRecord>[] = [];
  for (const each of begun) {
    const { taskId, head, history } = each;
    const now = await host.taskInfo(taskId, { signal });
    const isOurs = now !== null && now.state === taskStates.open && now.hostId === hostId;
    if (isOurs && now.startTs === head.task.startTs) {
      ours.push(each);
      continue;
    }
    log.info(
      { taskId, method: head.task.method, state: now?.state ?? null },
      isOurs
        ? 'not resuming a task of the previous run: it has been opened again since'
        : 'not resuming a task of the previous run: it is no longer open on this host',
    );
    await history.close();
    await journal.remove(taskId);
  }
  return ours;
}

/** The sessions that are not closed, as they are kept for the next run (`journal/session-files.ts`). */
export interface KeptSessions {
  list(): Promise<readonly { readonly id: number; readonly master: number | null }[]>;
  remove(id: number): Promise<void>;
}

/** A task of a previous run and the adapter that resumes it. */
export interface ResumableTask {
  readonly begun: JournaledTask<TaskRecord>;
  readonly adapter: TaskAdapter;
}

/**
 * The tasks that a previous run has begun and this one resumes. With `wanted` false it resumes none; those it
 * does not resume are forgotten here, and freed on the hub with all others that do not run here.
 */
export async function findResumableTasks(
  wanted: boolean,
  journal: TaskJournal<TaskRecord>,
  registry: ReadonlyMap<string, TaskAdapter>,
  host: HostApi,
  log: Logger,
  signal: AbortSignal,
): Promise<readonly ResumableTask[]> {
  const resumable: ResumableTask[] = [];
  for (const begun of await findJournaledTasks(journal, host, log, signal)) {
    const { method } = begun.head.task;
    const adapter = wanted ? registry.get(method) : undefined;
    if (adapter !== undefined) {
      resumable.push({ begun, adapter });
      continue;
    }
    log.warn({ taskId: begun.taskId, method }, 'giving up a task of the previous run');
    await begun.history.close();
    await journal.remove(begun.taskId);
  }
  return resumable;
}

/** Resumes these tasks, and closes the sessions of all others. */
export async function resumeTasks(
  tasks: readonly ResumableTask[],
  supervisor: Supervisor,
  { session, sessions, host }: { session: HubSession; sessions: KeptSessions; host: HostApi },
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  for (const { begun, adapter } of tasks) {
    const { task } = begun.head;
    const params = decodeRequest(task.method, adapter.signature, task.request);
    await supervisor.resume({ task, adapter, params }, begun, signal);
  }
  const used = new Set(tasks.map(({ begun }) => begun.head.sessionId));
  for (const { id, master } of await sessions.list()) {
    if (master !== session.info.id || used.has(id)) continue;
    await host.closeSubsession(id, signal);
    await sessions.remove(id);
    log.info({ sessionId: id }, 'closed the session of a task that is no longer running');
  }
}

import type { Logger } from '../../core/logger.ts';
import type { HostApi } from '../../hub/api/host.ts';
import { taskStates } from '../../hub/api/schema.ts';
import type { BegunTask, TaskJournal } from '../../journal/task-journal.ts';
import type { TaskHead } from '../run/task-record.ts';

/**
 * The tasks that earlier lives of the daemon have begun and that it goes on with: those that the hub still has OPEN on
 * this host, opened at the time the journal says. Of all others nothing is left in the journal: the hub has given
 * them to somebody, or they have ended.
 */
export async function findBegunTasks(
  journal: TaskJournal<TaskHead>,
  host: HostApi,
  log: Logger,
  signal: AbortSignal,
): Promise<readonly BegunTask<TaskHead>[]> {
  const begun = await journal.reopen();
  if (begun.length === 0) return [];
  const hostId = await host.hostId(signal);
  const ours: BegunTask<TaskHead>[] = [];
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
        ? 'a task that was begun here has been opened again since; it is not gone on with'
        : 'a task that was begun here is not ours any more; it is not gone on with',
    );
    await history.close();
    await journal.remove(taskId);
  }
  return ours;
}

import { join } from 'node:path';
import type { Logger } from '../../src/core/logger.ts';
import { taskProgress } from '../../src/daemon/run/task-progress.ts';
import { TaskRecord } from '../../src/daemon/run/task-record.ts';
import { TaskJournal } from '../../src/journal/task-journal.ts';
import { silentLog } from './silent-log.ts';

/** The journal of the tasks of a worker whose area this is. */
export function openTaskJournal(
  workDir: string,
  now: () => number = () => 0,
  log: Logger = silentLog,
): TaskJournal<TaskRecord> {
  return new TaskJournal(join(workDir, 'journal', 'tasks'), TaskRecord, now, log, taskProgress(workDir));
}

/** The head of a task that a test makes up. */
export function taskHead(
  id: number,
  method = 'test',
  request: TaskRecord['task']['request'] = [],
): TaskRecord {
  const task = {
    id,
    method,
    request,
    arch: 'noarch',
    state: 1,
    hostId: 7,
    ownerId: 1,
    parentId: null,
    label: null,
    channelId: 1,
    priority: 20,
    weight: 1,
    createTs: 1_700_000_000,
    startTs: null,
  };
  return { task, sessionId: 1, seed: 1 };
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { TaskHistory } from '../../src/journal/task-history.ts';
import { openTaskJournal, taskHead } from './task-journal.ts';

/** The history of one task in its first run, and in the next ones: each finds what all before it have recorded. */
export async function openTestHistory(now: () => number = () => 0) {
  const directory = await mkdtemp(join(tmpdir(), 'history-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const journal = openTaskJournal(directory, now);
  const opened: TaskHistory[] = [];
  onTestFinished(async () => {
    for (const history of opened) await history.close();
  });
  const keep = (history: TaskHistory) => {
    opened.push(history);
    return history;
  };
  return {
    /** Where it lies, a file for each task. */
    directory: join(directory, 'journal', 'tasks'),
    first: keep(await journal.begin(5, taskHead(5))),
    async next(): Promise<TaskHistory> {
      const [begun] = await journal.reopen();
      if (begun === undefined) throw new Error('there is no history');
      return keep(begun.history);
    },
  };
}

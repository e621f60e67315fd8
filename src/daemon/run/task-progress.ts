import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { calledMethod } from '../../journal/step-ids.ts';
import type { TaskProgress } from '../../journal/task-journal.ts';
import { taskDirectory } from './task-runner.ts';

/** The hub call after which a task waits for its children; how they fare is not recorded in the journal. */
const waiting = 'host.taskSetWait';

/** How far the tasks of the worker whose area this is have come, besides what their journals say. */
export function taskProgress(workDir: string): TaskProgress {
  return {
    async writtenBytes(taskId) {
      const logs = join(workDir, taskDirectory(taskId), 'logs');
      const names = await readdir(logs).catch(() => []);
      const sizes = await Promise.all(
        names.map((name) =>
          stat(join(logs, name)).then(
            ({ size }) => size,
            () => 0,
          ),
        ),
      );
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    isWaiting: (stepId) => calledMethod(stepId) === waiting,
  };
}

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskProgress } from '../../journal/task-journal.ts';
import { taskDirectory } from './task-runner.ts';

/** Hub calls after which a task waits for its children, by their keys in its journal. */
const waiting = /^host\.(taskSetWait|taskWait) /;

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
    isWaiting: (key) => waiting.test(key),
  };
}

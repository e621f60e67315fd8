import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { below } from '../core/below.ts';
import type { WatchedTask } from '../devhub/client.ts';
import { taskState } from '../devhub/rows.ts';
import { TaskFiles } from './task-files.ts';

/** Copies the packages of a scratch build out of the hub's directory for it; gives their names, sorted. */
export async function keepPackages(scratch: string, into: string): Promise<readonly string[]> {
  await mkdir(into, { recursive: true });
  const names = (await readdir(scratch)).filter((name) => name.endsWith('.rpm')).sort();
  for (const name of names) await copyFile(below(scratch, name), below(into, name));
  return names;
}

/** Copies the logs of a task tree, a directory for each task that has any. */
export async function keepLogs(topdir: string, tree: WatchedTask, into: string): Promise<void> {
  for (const task of [tree, ...tree.children]) {
    const files = new TaskFiles(topdir, task.id);
    const names = await files.logs();
    if (names.length === 0) continue;
    const directory = below(into, logDirectory(task));
    await mkdir(directory, { recursive: true });
    for (const name of names) await copyFile(below(files.directory, name), below(directory, name));
  }
}

function logDirectory({ method, arch }: WatchedTask): string {
  return method === 'buildArch' ? `${method}-${arch}` : method;
}

/** The log to read after a failure: which task's, under which name, and how it ends. */
export interface TellingLog {
  readonly task: WatchedTask;
  readonly name: string;
  readonly text: string;
}

/** Finds the log that a fault sends its reader to; the first that holds anything when it names several. */
export async function tellingLog(
  topdir: string,
  tree: WatchedTask,
  fault: string,
): Promise<TellingLog | undefined> {
  const names = [...fault.matchAll(/\b[a-z_]+\.log\b/g)].map(([name]) => name);
  const failed = tree.children.filter((task) => task.state === taskState.FAILED);
  for (const task of failed) {
    for (const name of names.length === 0 ? ['root.log'] : names) {
      const text = await new TaskFiles(topdir, task.id).tail(name, 16_384);
      if (text !== '') return { task, name, text };
    }
  }
  return undefined;
}

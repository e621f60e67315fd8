import { existsSync, type Stats, statSync } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a task has uploaded, read from the hub's disk. Files of a finished build are found through the hub's links. */
export class TaskFiles {
  readonly directory: string;

  constructor(topdir: string, taskId: number) {
    this.directory = join(topdir, 'work', 'tasks', String(taskId % 10_000), String(taskId));
  }

  /** Names of the logs, sorted; none before the first upload. */
  async logs(): Promise<readonly string[]> {
    if (!existsSync(this.directory)) return [];
    return (await readdir(this.directory)).filter((name) => name.endsWith('.log')).sort();
  }

  /** Size and times of a file, or undefined when it is not there. */
  stat(name: string): Stats | undefined {
    return statSync(join(this.directory, name), { throwIfNoEntry: false });
  }

  /** The text of a file; empty when it is not there yet. */
  async text(name: string): Promise<string> {
    return this.stat(name) === undefined ? '' : readFile(join(this.directory, name), 'utf8');
  }

  /** The end of a file, at most `maxBytes` of it; empty when it is not there yet. */
  async tail(name: string, maxBytes: number): Promise<string> {
    const stat = this.stat(name);
    if (stat === undefined) return '';
    await using file = await open(join(this.directory, name));
    const length = Math.min(stat.size, maxBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, stat.size - length);
    return buffer.toString('utf8', 0, bytesRead);
  }
}

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** How many of them are remembered. */
const kept = 100;

/**
 * Which tasks have asked for a restart of the daemon, and whether there was one since. Not told by the time: the clocks
 * of hub and builder need not agree, and the session with the hub outlives a restart.
 */
export class Restarts {
  readonly #directory: string;
  /** Unlike that of any other start of the daemon. */
  readonly #run = randomUUID();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Records that the task asks for a restart of this process. */
  async note(taskId: number): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const older = (await readdir(this.#directory)).map(Number).toSorted((a, b) => b - a);
    for (const id of older.slice(kept)) await rm(join(this.#directory, String(id)), { force: true });
    await writeFile(join(this.#directory, String(taskId)), this.#run);
  }

  /** Whether another process runs since the task asked; null when nothing is known of the task here. */
  async hasHappened(taskId: number): Promise<boolean | null> {
    const run = await readFile(join(this.#directory, String(taskId)), 'utf8').catch(() => null);
    return run === null ? null : run !== this.#run;
  }
}

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const RegisteredProcess = z.object({
  pid: z.int().positive(),
  /** When the process started, as the kernel counts; tells it from a later one with the same number. */
  started: z.string(),
  /** Marks its containers. */
  workerId: z.string(),
});
/** A process that uses an area, or did when it was killed. */
export type RegisteredProcess = z.infer<typeof RegisteredProcess>;

/**
 * The processes that use an area at the same time, a file each below `directory`. A process enters before it
 * looks at the others: of two that come at once, each sees the other.
 */
export class ProcessRegistry {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Notes this process; it stays until `leave`, or until others find that it is no more. */
  async enter(workerId: string): Promise<RegisteredProcess> {
    const { pid } = process;
    const user = { pid, started: (await startOf(pid)) ?? '', workerId };
    await mkdir(this.#directory, { recursive: true });
    const path = this.#path(user);
    await writeFile(`${path}.new`, JSON.stringify(user));
    await rename(`${path}.new`, path);
    return user;
  }

  /** The others, those that still run and those that ended without leaving. */
  async others(): Promise<{
    readonly living: readonly RegisteredProcess[];
    readonly dead: readonly RegisteredProcess[];
  }> {
    const living: RegisteredProcess[] = [];
    const dead: RegisteredProcess[] = [];
    for (const name of await readdir(this.#directory)) {
      if (!name.endsWith('.json') || name === `${process.pid}.json`) continue;
      const user = await this.#read(name);
      if (user === null) continue;
      ((await startOf(user.pid)) === user.started ? living : dead).push(user);
    }
    return { living, dead };
  }

  /** Takes a user off the list: this process, or a dead one that nothing is left of. */
  async leave(user: RegisteredProcess): Promise<void> {
    await rm(this.#path(user), { force: true });
  }

  async #read(name: string): Promise<RegisteredProcess | null> {
    try {
      return RegisteredProcess.parse(JSON.parse(await readFile(join(this.#directory, name), 'utf8')));
    } catch {
      // It has just left, or is of another version and says nothing to us.
      return null;
    }
  }

  #path({ pid }: RegisteredProcess): string {
    return join(this.#directory, `${pid}.json`);
  }
}

/** When a process started; null when there is none. */
async function startOf(pid: number): Promise<string | null> {
  try {
    // The name before it may hold anything, but ends with the last bracket; `proc(5)`, field 22.
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

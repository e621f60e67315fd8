import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';

/** With the third of a kind in a row a task is not tried again. */
export const mostInARow = 3;
/** However far a task came between them. */
const mostUncleanEnds = 10;
/** A task that has not been heard of for so long does not come back. */
const forgottenAfterMs = 14 * 24 * 3_600_000;

const Record = z.object({
  /** Runs of the daemon in a row that ended uncleanly while the task was at the same place. */
  uncleanInARow: z.int(),
  uncleanEnds: z.int(),
  /** How many lines its journal had at the last of them, and how much its logs. */
  lines: z.int(),
  writtenBytes: z.int(),
  softRefusalsInARow: z.int(),
});
type Record = z.infer<typeof Record>;

const none: Record = { uncleanInARow: 0, uncleanEnds: 0, lines: 0, writtenBytes: 0, softRefusalsInARow: 0 };

/**
 * How often a task was at work when the daemon or the machine ended uncleanly, and how often it was softly refused: a task
 * that brings such things about would do it again and again, on one host after the other. Synced to the disk, a file for
 * each task that had any trouble.
 */
export class TaskTroubles {
  readonly #directory: string;
  readonly #now: () => number;

  /** `now`: milliseconds since the epoch. */
  constructor(directory: string, now: () => number = Date.now) {
    this.#directory = directory;
    this.#now = now;
  }

  /**
   * A run of the daemon has ended uncleanly when the task's journal had so many lines, and its logs so many bytes. A task that came further
   * in either since the last is no repetition.
   */
  async noteUncleanEnd(
    taskId: number,
    { lines, writtenBytes }: { readonly lines: number; readonly writtenBytes: number },
  ): Promise<void> {
    const before = await this.#read(taskId);
    const goesRound = before.uncleanEnds > 0 && lines <= before.lines && writtenBytes <= before.writtenBytes;
    await this.#write(taskId, {
      ...before,
      uncleanInARow: goesRound ? before.uncleanInARow + 1 : 1,
      uncleanEnds: before.uncleanEnds + 1,
      lines,
      writtenBytes,
    });
  }

  /** A run of the daemon has ended cleanly. */
  async noteCleanEnd(taskId: number): Promise<void> {
    const before = await this.#read(taskId);
    if (before.uncleanEnds > 0) await this.#write(taskId, { ...before, uncleanInARow: 0, uncleanEnds: 0 });
  }

  /** The task is about to be refused softly: how many times in a row it is then. */
  async noteSoftRefusal(taskId: number): Promise<number> {
    const before = await this.#read(taskId);
    const softRefusalsInARow = before.softRefusalsInARow + 1;
    await this.#write(taskId, { ...before, softRefusalsInARow });
    return softRefusalsInARow;
  }

  /** Why the task is not tried once more; null when it is. */
  async whyGivenUp(taskId: number): Promise<string | null> {
    const { uncleanInARow, uncleanEnds } = await this.#read(taskId);
    if (uncleanInARow < mostInARow && uncleanEnds < mostUncleanEnds) return null;
    const times = uncleanInARow < mostInARow ? `${uncleanEnds} times` : `${uncleanInARow} times in a row`;
    return `the builder ended unexpectedly ${times} while this task was at work: it is not tried again`;
  }

  /** The task has ended here in another way. */
  async forget(taskId: number): Promise<void> {
    await rm(this.#path(taskId), { force: true });
  }

  /** Forgets tasks that are long over. */
  async prune(): Promise<void> {
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const path = join(this.#directory, name);
      const { mtimeMs } = await stat(path);
      if (mtimeMs < this.#now() - forgottenAfterMs) await rm(path, { force: true });
    }
  }

  async #read(taskId: number): Promise<Record> {
    try {
      return Record.parse(JSON.parse(await readFile(this.#path(taskId), 'utf8')));
    } catch {
      // None, or one that a full disk has cut off.
      return none;
    }
  }

  async #write(taskId: number, record: Record): Promise<void> {
    const path = this.#path(taskId);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const draft = `${path}.new`;
    await using file = await open(draft, 'w', 0o600);
    await file.writeFile(JSON.stringify(record));
    await file.sync();
    await rename(draft, path);
  }

  #path(taskId: number): string {
    return join(this.#directory, `${taskId}.json`);
  }
}

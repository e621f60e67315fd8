import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { JsonLines } from './json-lines.ts';
import { journalVersion } from './step-ids.ts';
import { TaskHistory } from './task-history.ts';
import { TaskTroubles } from './task-troubles.ts';

/** Names the tasks of a run that has ended cleanly. */
const handedOver = 'handed-over.json';
const TaskIds = z.array(z.int());

/** A task that a previous run of the daemon has begun, and what it has done of it. */
export interface JournaledTask<Head> {
  readonly taskId: number;
  readonly head: Head;
  readonly history: TaskHistory;
}

/** What tells of a task that was at work at an unclean end whether it may have brought that about. */
export interface TaskProgress {
  /** How much the task has written to its logs. */
  writtenBytes(taskId: number): Promise<number>;
  /** Whether a task that did this last was waiting for others. */
  isWaiting(stepId: string): boolean;
}

/**
 * The histories of the tasks that run here, a file for each; its first line, the head, says in which format it is and which task
 * it is. A history in another format cannot be replayed, and one that belongs to another boot of the machine is of no
 * use: no container has outlived that.
 */
export class TaskJournal<Head> {
  readonly #directory: string;
  readonly #head: z.ZodType<Head>;
  readonly #now: () => number;
  readonly #log: Logger;
  readonly #progress: TaskProgress;
  #boot: Promise<string> | null = null;
  /** How tasks have fared so far, in a directory beside that of the histories. */
  readonly troubles: TaskTroubles;

  constructor(
    directory: string,
    head: z.ZodType<Head>,
    now: () => number,
    log: Logger,
    progress: TaskProgress,
  ) {
    this.#directory = directory;
    this.#progress = progress;
    this.#head = head;
    this.#now = now;
    this.#log = log;
    this.troubles = new TaskTroubles(join(dirname(directory), 'troubles'));
  }

  /** Begins the history of a task; one that is there is replaced. */
  async begin(taskId: number, head: Head): Promise<TaskHistory> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const lines = await JsonLines.create(this.#path(taskId));
    try {
      await lines.append({ journal: journalVersion, boot: await this.#bootId(), head });
    } catch (error) {
      await lines.close();
      await this.remove(taskId);
      throw error;
    }
    return new TaskHistory(lines, this.#now, null);
  }

  /** Records that these tasks are left to the next run: its start is no sign of trouble. */
  async handOver(taskIds: readonly number[]): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await writeFile(join(dirname(this.#directory), handedOver), JSON.stringify(taskIds), { mode: 0o600 });
  }

  /**
   * Opens what previous runs have left. What cannot be resumed is removed, with a word in the log. A task that was not
   * handed over has seen an unclean end, which is recorded.
   */
  async reopen(): Promise<readonly JournaledTask<Head>[]> {
    const found: JournaledTask<Head>[] = [];
    const clean = await this.#takeHandedOver();
    await this.troubles.prune();
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const taskId = Number(/^(\d+)\.jsonl$/.exec(name)?.[1]);
      if (!Number.isSafeInteger(taskId)) continue;
      await this.#noteEnd(taskId, clean.has(taskId));
      try {
        found.push(await this.#reopen(taskId));
      } catch (error) {
        this.#log.warn(
          { taskId, reason: describeError(error) },
          'cannot resume a task of the previous run: it is freed where it is still open',
        );
        await this.remove(taskId);
      }
    }
    return found;
  }

  async #noteEnd(taskId: number, isClean: boolean): Promise<void> {
    if (isClean) return this.troubles.noteCleanEnd(taskId);
    const text = await readFile(this.#path(taskId), 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => line !== '');
    // Where a task stood is not to be read out of another format.
    if (parsed(VersionOfHead, lines[0]) !== journalVersion) return;
    if (this.#progress.isWaiting(parsed(IdOfLine, lines.at(-1)) ?? '')) return;
    const writtenBytes = await this.#progress.writtenBytes(taskId);
    await this.troubles.noteUncleanEnd(taskId, { lines: lines.length, writtenBytes });
  }

  async #takeHandedOver(): Promise<ReadonlySet<number>> {
    const path = join(dirname(this.#directory), handedOver);
    try {
      return new Set(TaskIds.parse(JSON.parse(await readFile(path, 'utf8'))));
    } catch {
      return new Set();
    } finally {
      await rm(path, { force: true });
    }
  }

  /** The task has ended, and the hub knows. */
  async remove(taskId: number): Promise<void> {
    await rm(this.#path(taskId), { force: true });
  }

  async #reopen(taskId: number): Promise<JournaledTask<Head>> {
    const { lines, values } = await JsonLines.reopen(this.#path(taskId));
    try {
      const [first, ...entries] = values;
      if (typeof first !== 'object' || first === null || !('head' in first) || !('boot' in first))
        throw new Error('its journal is empty');
      const version = VersionOfHead.parse(first);
      if (version !== journalVersion)
        throw new Error(
          `its journal has ${version === null ? 'no format version' : `format version ${version}`}, this version of the builder reads ${journalVersion}`,
        );
      if (first.boot !== (await this.#bootId())) throw new Error('the machine was rebooted since');
      const head = this.#head.parse(first.head);
      return { taskId, head, history: new TaskHistory(lines, this.#now, entries) };
    } catch (error) {
      await lines.close();
      throw error;
    }
  }

  async #bootId(): Promise<string> {
    this.#boot ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then((text) => text.trim());
    return this.#boot;
  }

  #path(taskId: number): string {
    return join(this.#directory, `${taskId}.jsonl`);
  }
}

/** What the schema finds in a line; null where that cannot be read, as in one that was cut off. */
function parsed<T>(schema: z.ZodType<T>, line: string | undefined): T | null {
  try {
    return schema.parse(JSON.parse(line ?? ''));
  } catch {
    return null;
  }
}

/** The format version that the head of a journal names; null before there were versions. */
const VersionOfHead = z
  .object({ journal: z.int().nullable().default(null) })
  .transform(({ journal }) => journal);

const IdOfLine = z
  .object({ begin: z.string().optional(), end: z.string().optional() })
  .transform(({ begin, end }) => begin ?? end ?? '');

import { z } from 'zod';
import { HistoryDiverged } from './errors.ts';
import type { History, Phase, ResumePoint } from './history.ts';
import type { JsonLines } from './json-lines.ts';
import type { StepId } from './step-ids.ts';

/** How far a log has come. */
export interface LogMark {
  readonly size: number;
  /** Tells whether it is still the same file. */
  readonly inode: number;
}
export type LogMarks = Readonly<Record<string, LogMark>>;

/** The logs of a task, as far as its history is concerned with them. */
export interface HistoryLogs {
  /** The mark of each log by name. */
  marks(): LogMarks;
  /**
   * Ends the time in which what is written is taken for what was written before. Each log continues at its mark; the
   * one that is `growing` keeps what lies behind that, of which size and end are given.
   */
  resume(
    marks: LogMarks,
    growing: string | null,
  ): Promise<{ readonly writtenBytes: number; readonly tail: Uint8Array }>;
}

const Marks = z.record(z.string(), z.object({ size: z.int(), inode: z.number() }));
/** `n`: the how manieth step under its id it is. */
const Entry = z.union([
  z.object({ begin: z.string(), n: z.int(), ms: z.number(), logs: Marks.optional() }),
  z.object({ end: z.string(), n: z.int(), value: z.unknown(), logs: Marks.optional() }),
]);
type Entry = z.infer<typeof Entry>;

interface ReplayEntry {
  begun: { readonly ms: number; readonly marks: LogMarks } | null;
  ended: { readonly value: unknown } | null;
}

/** A {@link History} in a file, of which each line is there before what comes after it is done. */
export class TaskHistory implements History {
  readonly #lines: JsonLines;
  readonly #now: () => number;
  readonly #remembered: ReadonlyMap<string, ReplayEntry>;
  /** The last place of the previous runs that knows the marks of the logs: from there on logs are written. */
  readonly #frontier: { readonly key: string; readonly marks: LogMarks } | null;
  readonly #uses = new Map<StepId, number>();
  #logs: HistoryLogs | null = null;
  #isPast: boolean;
  readonly resumed: boolean;

  /** `entries` are those of previous runs; null in the first. */
  constructor(lines: JsonLines, now: () => number, entries: readonly unknown[] | null) {
    this.#lines = lines;
    this.#now = now;
    this.resumed = entries !== null;
    const read = (entries ?? []).map((entry) => Entry.parse(entry));
    this.#remembered = remember(read);
    const last = read.findLast(({ logs }) => logs !== undefined);
    this.#frontier = last === undefined ? null : { key: keyOf(last), marks: last.logs ?? {} };
    this.#isPast = this.#frontier !== null;
  }

  /** Whether logs are still to be left as a previous run has written them. */
  get isPast(): boolean {
    return this.#isPast;
  }

  /** The logs whose marks are noted from now on. */
  attach(logs: HistoryLogs): void {
    this.#logs = logs;
  }

  /** Whether a previous run has done what is next done under this id. */
  isEnded(id: StepId): boolean {
    return this.#remembered.get(toKey(id, this.#countOf(id) + 1))?.ended != null;
  }

  isBegun(id: StepId): boolean {
    return this.#remembered.has(toKey(id, this.#countOf(id) + 1));
  }

  once<T>(id: StepId, result: z.ZodType<T>, work: (begun: boolean) => Promise<T>): Promise<T> {
    return this.#do(id, result, work, { unmarked: false, withMarks: true });
  }

  /** As `once`, for what says nothing about the logs; with `unmarked` its beginning is not noted. */
  recall<T>(
    id: StepId,
    result: z.ZodType<T>,
    { unmarked }: { readonly unmarked: boolean },
    work: (begun: boolean) => Promise<T>,
  ): Promise<T> {
    return this.#do(id, result, work, { unmarked, withMarks: false });
  }

  async phase<Made, T>(id: StepId, { result, log, make, work }: Phase<Made, T>): Promise<T> {
    const step = this.#nextOf(id);
    const known = await this.#recallEnd(step, result);
    if (known !== null) return known.value;
    const begun = this.#remembered.get(step.key)?.begun ?? null;
    // What is new writes to the logs, so all that was written before must have been come by.
    if (begun === null && this.#isPast)
      throw new HistoryDiverged(`after the restart the task came to ${step.key} in another way than before`);
    const made = await make();
    let earlier: ResumePoint | null = null;
    if (begun === null) await this.#note({ begin: id, n: step.n, ms: this.#now() }, true);
    else earlier = { startedMs: begun.ms, ...(await this.#leavePast(begun.marks, log)) };
    const value = await work(made, earlier);
    await this.#note({ end: id, n: step.n, value }, true);
    return value;
  }

  async close(): Promise<void> {
    await this.#lines.close();
  }

  async #do<T>(
    id: StepId,
    result: z.ZodType<T>,
    work: (begun: boolean) => Promise<T>,
    { unmarked, withMarks }: { readonly unmarked: boolean; readonly withMarks: boolean },
  ): Promise<T> {
    const step = this.#nextOf(id);
    const known = await this.#recallEnd(step, result);
    if (known !== null) return known.value;
    const begun = this.#remembered.has(step.key);
    if (!begun && !unmarked) await this.#note({ begin: id, n: step.n, ms: this.#now() }, false);
    const value = await work(begun);
    await this.#note({ end: id, n: step.n, value }, withMarks);
    return value;
  }

  #countOf(id: StepId): number {
    return this.#uses.get(id) ?? 0;
  }

  #nextOf(id: StepId): { readonly n: number; readonly key: string } {
    const n = this.#countOf(id) + 1;
    this.#uses.set(id, n);
    return { n, key: toKey(id, n) };
  }

  async #recallEnd<T>(
    { key }: { readonly key: string },
    result: z.ZodType<T>,
  ): Promise<{ readonly value: T } | null> {
    const known = this.#remembered.get(key)?.ended ?? null;
    if (known === null) return null;
    const { data: value, error } = result.safeParse(known.value);
    if (error !== undefined)
      throw new HistoryDiverged(`the result of ${key} of before the restart cannot be read`, {
        cause: error,
      });
    if (key === this.#frontier?.key) await this.#leavePast(this.#frontier.marks, null);
    return { value };
  }

  async #note(entry: Entry, withMarks: boolean): Promise<void> {
    const logs = withMarks && !this.#isPast ? this.#logs?.marks() : undefined;
    const value = 'end' in entry ? { value: entry.value ?? null } : {};
    await this.#lines.append({ ...entry, ...value, ...(logs !== undefined && { logs }) });
  }

  async #leavePast(
    marks: LogMarks,
    growing: string | null,
  ): Promise<{ readonly writtenBytes: number; readonly tail: Uint8Array }> {
    if (!this.#isPast || this.#logs === null) return { writtenBytes: 0, tail: new Uint8Array(0) };
    this.#isPast = false;
    return this.#logs.resume(marks, growing);
  }
}

function toKey(id: string, n: number): string {
  return `${id} #${n}`;
}

function keyOf(entry: Entry): string {
  return toKey('begin' in entry ? entry.begin : entry.end, entry.n);
}

function remember(entries: readonly Entry[]): ReadonlyMap<string, ReplayEntry> {
  const remembered = new Map<string, ReplayEntry>();
  for (const entry of entries) {
    const key = keyOf(entry);
    const known = remembered.get(key) ?? { begun: null, ended: null };
    remembered.set(key, known);
    if ('begin' in entry) known.begun = { ms: entry.ms, marks: entry.logs ?? {} };
    else known.ended = { value: entry.value };
  }
  return remembered;
}

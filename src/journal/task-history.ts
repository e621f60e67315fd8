import { z } from 'zod';
import { HistoryDiverged } from './errors.ts';
import type { EarlierPart, History, Phase } from './history.ts';
import type { JsonLines } from './json-lines.ts';

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
  goOn(
    marks: LogMarks,
    growing: string | null,
  ): Promise<{ readonly writtenBytes: number; readonly tail: Uint8Array }>;
}

const Marks = z.record(z.string(), z.object({ size: z.int(), inode: z.number() }));
const Entry = z.union([
  z.object({ begin: z.string(), ms: z.number(), logs: Marks.optional() }),
  z.object({ end: z.string(), value: z.unknown(), logs: Marks.optional() }),
]);
type Entry = z.infer<typeof Entry>;

interface Remembered {
  begun: { readonly ms: number; readonly marks: LogMarks } | null;
  ended: { readonly value: unknown } | null;
}

/** A {@link History} in a file, of which each line is there before what comes after it is done. */
export class TaskHistory implements History {
  readonly #lines: JsonLines;
  readonly #now: () => number;
  readonly #remembered: ReadonlyMap<string, Remembered>;
  /** The last place of the previous runs that knows the marks of the logs: from there on logs are written. */
  readonly #frontier: { readonly key: string; readonly marks: LogMarks } | null;
  readonly #uses = new Map<string, number>();
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
    this.#frontier =
      last === undefined ? null : { key: 'begin' in last ? last.begin : last.end, marks: last.logs ?? {} };
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

  /** Whether a previous run has done what is next done under this key. */
  isEnded(name: string): boolean {
    return this.#remembered.get(`${name} #${(this.#uses.get(name) ?? 0) + 1}`)?.ended != null;
  }

  isBegun(name: string): boolean {
    return this.#remembered.has(`${name} #${(this.#uses.get(name) ?? 0) + 1}`);
  }

  once<T>(name: string, result: z.ZodType<T>, work: (begun: boolean) => Promise<T>): Promise<T> {
    return this.#do(name, result, work, { quiet: false, withMarks: true });
  }

  /** As `once`, for what says nothing about the logs; with `quiet` its beginning is not noted. */
  recall<T>(
    name: string,
    result: z.ZodType<T>,
    { quiet }: { readonly quiet: boolean },
    work: (begun: boolean) => Promise<T>,
  ): Promise<T> {
    return this.#do(name, result, work, { quiet, withMarks: false });
  }

  async phase<Made, T>(name: string, { result, log, make, work }: Phase<Made, T>): Promise<T> {
    const key = this.#keyOf(name);
    const known = await this.#recallEnd(key, result);
    if (known !== null) return known.value;
    const begun = this.#remembered.get(key)?.begun ?? null;
    // What is new writes to the logs, so all that was written before must have been come by.
    if (begun === null && this.#isPast) throw new HistoryDiverged(key);
    const made = await make();
    let earlier: EarlierPart | null = null;
    if (begun === null) await this.#note({ begin: key, ms: this.#now() }, true);
    else earlier = { startedMs: begun.ms, ...(await this.#leavePast(begun.marks, log)) };
    const value = await work(made, earlier);
    await this.#note({ end: key, value }, true);
    return value;
  }

  async close(): Promise<void> {
    await this.#lines.close();
  }

  async #do<T>(
    name: string,
    result: z.ZodType<T>,
    work: (begun: boolean) => Promise<T>,
    { quiet, withMarks }: { readonly quiet: boolean; readonly withMarks: boolean },
  ): Promise<T> {
    const key = this.#keyOf(name);
    const known = await this.#recallEnd(key, result);
    if (known !== null) return known.value;
    const begun = this.#remembered.has(key);
    if (!begun && !quiet) await this.#note({ begin: key, ms: this.#now() }, false);
    const value = await work(begun);
    await this.#note({ end: key, value }, withMarks);
    return value;
  }

  #keyOf(name: string): string {
    const count = (this.#uses.get(name) ?? 0) + 1;
    this.#uses.set(name, count);
    return `${name} #${count}`;
  }

  async #recallEnd<T>(key: string, result: z.ZodType<T>): Promise<{ readonly value: T } | null> {
    const known = this.#remembered.get(key)?.ended ?? null;
    if (known === null) return null;
    const value = result.parse(known.value);
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
    return this.#logs.goOn(marks, growing);
  }
}

function remember(entries: readonly Entry[]): ReadonlyMap<string, Remembered> {
  const remembered = new Map<string, Remembered>();
  for (const entry of entries) {
    const key = 'begin' in entry ? entry.begin : entry.end;
    const known = remembered.get(key) ?? { begun: null, ended: null };
    remembered.set(key, known);
    if ('begin' in entry) known.begun = { ms: entry.ms, marks: entry.logs ?? {} };
    else known.ended = { value: entry.value };
  }
  return remembered;
}

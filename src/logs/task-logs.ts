import { readdir } from 'node:fs/promises';
import { below } from '../core/below.ts';
import type { Clock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { LogFile, type LogMark } from './log-file.ts';
import { LogTimes } from './log-times.ts';

/** Sends a growing file to the task's directory on the hub, by offset; `upload/uploader.ts` is the real one. */
export interface LogUpload {
  /** Before the first `push`: finds out what a previous run has sent of the same file. */
  resume(signal: AbortSignal): Promise<void>;
  /** Sends what the file has gained since the last call. */
  push(signal: AbortSignal): Promise<void>;
  /** Sends the rest, also of an empty file; rejects when not all of it has arrived. */
  finish(signal: AbortSignal): Promise<void>;
}

/** Opens an upload of the file at `path` under `name`. */
export type OpenLogUpload = (path: string, name: string) => LogUpload;

interface OpenLog {
  readonly file: LogFile;
  readonly upload: LogUpload;
  /** How much of it was sent; null once that has failed: then `finish` sends it. */
  pushed: number | null;
  times: LogTimes | null;
  /** A previous run has written and sent some of it. */
  isEarlier: boolean;
  /** What it says in the end when nothing was written to it; may be empty. */
  readonly ifEmpty: string;
}

/** `watched`: one of those beside which kojid keeps a log of times, if `log_timestamps` says so. */
export type LogKind = 'plain' | 'watched';

export interface TaskLogsOptions {
  /** kojid's `log_timestamps`: beside each watched log one called `NAME-ts.log`, see `LogTimes`. */
  readonly timestamps?: boolean;
  /** A previous run of the task has left logs here, and `resume` will be called when it has come to their end. */
  readonly resumed?: boolean;
}

/** How much of the end of a log that continues is given to its reader. */
const tailBytes = 4096;

/** How long a log line may stay on this host before the hub has it. */
const pushEveryMs = 1000;

/**
 * The logs of one task: files in its work directory that are sent to the hub while they grow. A log is
 * listed in the task's result only once all of it has arrived there.
 */
export class TaskLogs {
  readonly #directory: string;
  readonly #openUpload: OpenLogUpload;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #timestamps: boolean;
  #isPast: boolean;
  readonly #open: OpenLog[] = [];
  /** Ends the pauses between pushes; a push under way is let finish. */
  readonly #stop = new AbortController();
  /** Ends uploads, too: the hub does not take them any more. */
  readonly #drop = new AbortController();
  #pump: Promise<void> | null = null;
  #uploaded: string[] = [];

  constructor(
    directory: string,
    openUpload: OpenLogUpload,
    clock: Clock,
    log: Logger,
    { timestamps = false, resumed = false }: TaskLogsOptions = {},
  ) {
    this.#isPast = resumed;
    this.#directory = directory;
    this.#openUpload = openUpload;
    this.#clock = clock;
    this.#log = log;
    this.#timestamps = timestamps;
  }

  /** Opens a log that is sent as it grows, from now until `finish`; `ifEmpty` stands in one that is still empty by then. */
  async open(name: string, kind: LogKind = 'plain', ifEmpty = ''): Promise<LogFile> {
    return this.#add(name, kind, ifEmpty, this.#isPast);
  }

  async #add(name: string, kind: LogKind, ifEmpty: string, isEarlier: boolean): Promise<LogFile> {
    const path = below(this.#directory, name);
    const file = await (isEarlier ? LogFile.reopen(name, path) : LogFile.create(name, path));
    const upload = this.#openUpload(file.path, name);
    const log: OpenLog = { file, upload, pushed: 0, times: null, isEarlier, ifEmpty };
    this.#open.push(log);
    // Behind its log, so that it gets a last line when that is closed.
    if (kind === 'watched' && this.#timestamps)
      log.times = await LogTimes.begin(
        await this.#add(`${name}-ts.log`, 'plain', '', isEarlier),
        this.#clock,
      );
    this.#pump ??= this.#pushWhileOpen();
    return file;
  }

  /** How far each open log has come, by name. */
  marks(): Readonly<Record<string, LogMark>> {
    return Object.fromEntries(this.#open.map(({ file }) => [file.name, file.mark]));
  }

  /**
   * For logs that a previous run has left: from now on what is written is new. Each continues at its mark, the one that
   * is `growing` behind all that is there: how much that is beyond its mark, and its end, is given. Rejects when one
   * was cut, replaced or removed.
   */
  async resume(
    marks: Readonly<Record<string, LogMark>>,
    growing: string | null,
  ): Promise<{ readonly writtenBytes: number; readonly tail: Uint8Array }> {
    this.#isPast = false;
    let part = { writtenBytes: 0, tail: new Uint8Array(0) as Uint8Array };
    for (const { file } of this.#open.filter((log) => log.file.isPast)) {
      const mark = marks[file.name] ?? null;
      const size = mark?.size ?? 0;
      await file.resume(mark, file.name === growing);
      if (file.name === growing)
        part = { writtenBytes: Math.max(0, file.size - size), tail: await file.end(size, tailBytes) };
    }
    return part;
  }

  /** Takes the logs that a previous run has left as they are: `finish` sends what the hub does not have of them. */
  async takeAll(): Promise<void> {
    this.#isPast = false;
    for (const name of (await readdir(this.#directory)).sort())
      await (await this.#add(name, 'plain', '', true)).resume(null, true);
  }

  /** Writes a log whose whole content is known. Nothing is sent, or listed, for an empty one. */
  async write(name: string, content: string, kind: LogKind = 'plain'): Promise<void> {
    if (content === '') return;
    // Known as a whole, so it is written again whatever a previous run has left of it.
    const file = await this.#add(name, kind, '', false);
    await file.write(content);
  }

  /**
   * Closes all logs and sends the rest of each; an empty log is not sent. Rejects when one did
   * not arrive, after all were tried. Repeatable.
   */
  async finish(signal: AbortSignal): Promise<void> {
    this.#stop.abort();
    const failures: unknown[] = [];
    const drop = () => this.#drop.abort(signal.reason);
    signal.addEventListener('abort', drop, { once: true });
    if (signal.aborted) drop();
    await this.#pump;
    signal.removeEventListener('abort', drop);
    this.#pump = null;
    for (const { file, upload, times, isEarlier, ifEmpty } of this.#open.splice(0)) {
      try {
        if (file.size === 0) await file.write(ifEmpty);
        try {
          await file.assertWhole();
        } finally {
          await file.close();
        }
        await times?.note(file.size);
        if (file.size === 0) continue;
        if (isEarlier) await upload.resume(signal);
        await upload.finish(signal);
        this.#uploaded.push(file.name);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Closes the files of a task whose logs the hub does not take any more. */
  async abandon(): Promise<void> {
    this.#stop.abort();
    this.#drop.abort();
    await this.#pump;
    for (const { file } of this.#open.splice(0)) await file.close();
  }

  /** Whether a log of this name is open or was sent. */
  has(name: string): boolean {
    return this.#uploaded.includes(name) || this.#open.some(({ file }) => file.name === name);
  }

  /** Names of the logs that lie complete on the hub. */
  get uploaded(): readonly string[] {
    return this.#uploaded;
  }

  async #pushWhileOpen(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#clock.sleep(pushEveryMs, signal).catch(() => undefined);
      for (const log of this.#open) {
        if (signal.aborted) return;
        if (log.file.isPast) continue;
        const { size } = log.file;
        try {
          await log.times?.note(size);
          if (log.pushed === null || log.pushed === size) continue;
          if (log.isEarlier) await log.upload.resume(this.#drop.signal);
          log.isEarlier = false;
          await log.upload.push(this.#drop.signal);
          log.pushed = size;
        } catch (error) {
          // Sending early is a service to those who watch: `finish` sends what is missing, and rejects if it cannot.
          if (log.pushed !== null && !this.#drop.signal.aborted)
            this.#log.warn(
              { name: log.file.name, err: error },
              `streaming a log to the hub failed, it will be sent at the end of the task: ${describeError(error)}`,
            );
          log.pushed = null;
        }
      }
    }
  }
}

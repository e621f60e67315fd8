import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { LogFile } from './log-file.ts';
import { LogTimes } from './log-times.ts';

/** Sends a growing file to the task's directory on the hub, by offset; `upload/uploader.ts` is the real one. */
export interface LogUpload {
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
  /** What it says in the end when nobody wrote to it; may be empty. */
  readonly ifEmpty: string;
}

/** `watched`: one of those beside which kojid keeps a log of times, if `log_timestamps` says so. */
export type LogKind = 'plain' | 'watched';

export interface TaskLogsOptions {
  /** kojid's `log_timestamps`: beside each watched log one called `NAME-ts.log`, see `LogTimes`. */
  readonly timestamps?: boolean;
}

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
    { timestamps = false }: TaskLogsOptions = {},
  ) {
    this.#directory = directory;
    this.#openUpload = openUpload;
    this.#clock = clock;
    this.#log = log;
    this.#timestamps = timestamps;
  }

  /** Opens a log that is sent as it grows, from now until `finish`; `ifEmpty` stands in one nobody wrote to by then. */
  async open(name: string, kind: LogKind = 'plain', ifEmpty = ''): Promise<LogFile> {
    const file = await LogFile.create(name, join(this.#directory, name));
    const upload = this.#openUpload(file.path, name);
    const log: OpenLog = { file, upload, pushed: 0, times: null, ifEmpty };
    this.#open.push(log);
    // Behind its log, so that it gets a last line when that is closed.
    if (kind === 'watched' && this.#timestamps)
      log.times = await LogTimes.begin(await this.open(`${name}-ts.log`), this.#clock);
    this.#pump ??= this.#pushWhileOpen();
    return file;
  }

  /** Writes a log whose whole content is known. Nothing is sent, or listed, for an empty one. */
  async write(name: string, content: string, kind: LogKind = 'plain'): Promise<void> {
    if (content === '') return;
    const file = await this.open(name, kind);
    await file.write(content);
  }

  /**
   * Closes all logs and sends the rest of each; a log nobody wrote to is not sent. Rejects when one did
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
    for (const { file, upload, times, ifEmpty } of this.#open.splice(0)) {
      try {
        if (file.size === 0) await file.write(ifEmpty);
        await file.close();
        await times?.note(file.size);
        if (file.size === 0) continue;
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
        const { size } = log.file;
        try {
          await log.times?.note(size);
          if (log.pushed === null || log.pushed === size) continue;
          await log.upload.push(this.#drop.signal);
          log.pushed = size;
        } catch (error) {
          // Sending early is a service to those who watch: `finish` sends what is missing, and rejects if it cannot.
          if (log.pushed !== null && !this.#drop.signal.aborted)
            this.#log.warn(
              { name: log.file.name, err: error },
              `a log is not sent any more while it grows, only at the end of the task: ${describeError(error)}`,
            );
          log.pushed = null;
        }
      }
    }
  }
}

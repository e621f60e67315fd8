import type { Clock } from '../core/clock.ts';
import type { LogFile } from './log-file.ts';

/**
 * Says in a second log when how much of the first was there: lines `SECONDS BYTES`, seconds since 1970, the first
 * one for 0 bytes (`builder/kojid BuildRootLogs.add_ts_log`).
 */
export class LogTimes {
  readonly #file: LogFile;
  readonly #clock: Clock;
  #noted = 0;

  private constructor(file: LogFile, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  /** Begins with the line for 0 bytes; `file` is closed by who opened it. */
  static async begin(file: LogFile, clock: Clock): Promise<LogTimes> {
    const times = new LogTimes(file, clock);
    await times.#write(0);
    return times;
  }

  /** The first log has so many bytes now. Nothing is written when they were noted before. */
  async note(sizeBytes: number): Promise<void> {
    if (sizeBytes <= this.#noted) return;
    this.#noted = sizeBytes;
    await this.#write(sizeBytes);
  }

  async #write(sizeBytes: number): Promise<void> {
    await this.#file.write(`${Math.round(this.#clock.now() / 1000)} ${sizeBytes}\n`);
  }
}

import type { Clock } from '../core/clock.ts';
import type { LogSink } from '../core/log-sink.ts';

const tailBytes = 4096;

/** Keeps the end of what passes through, for the one case in which another log has to show it, too. */
export class Tail implements LogSink {
  readonly #to: LogSink;
  readonly #clock: Clock;
  #kept = Buffer.alloc(0);
  /** When the first of it came; null before that. */
  firstMs: number | null = null;

  constructor(to: LogSink, clock: Clock) {
    this.#to = to;
    this.#clock = clock;
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    this.firstMs ??= this.#clock.uptime();
    await this.#to.write(bytes);
    // Only the end is copied: a build may write hundreds of megabytes.
    const end = typeof bytes === 'string' ? Buffer.from(bytes) : bytes.subarray(-tailBytes);
    this.#kept = Buffer.concat([this.#kept, end]).subarray(-tailBytes);
  }

  /** What was written by a previous run. */
  begin(end: Uint8Array): void {
    this.#kept = Buffer.from(end).subarray(-tailBytes);
  }

  text(): Uint8Array {
    return this.#kept;
  }
}

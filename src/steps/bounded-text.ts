import type { LogSink } from '../core/log-sink.ts';

/** Keeps the beginning of what a container says, and notes that there was more. */
export class BoundedText implements LogSink {
  readonly #most: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  isCut = false;

  constructor(most: number) {
    this.#most = most;
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    const chunk = Buffer.from(bytes);
    const room = this.#most - this.#bytes;
    this.isCut ||= chunk.length > room;
    if (room > 0) this.#chunks.push(chunk.subarray(0, room));
    this.#bytes += Math.min(chunk.length, room);
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

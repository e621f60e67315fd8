import { BadRpm } from './errors.ts';

/**
 * Takes exact numbers of bytes from a stream of chunks. Memory grows with what arrived, never with
 * what a header claims; its opener closes it, so that a half-read stream is let go.
 */
export class ByteSource implements AsyncDisposable {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #takenBytes = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `count` bytes; fewer at the end throw BadRpm naming `what` was cut off. */
  async take(count: number, what: string): Promise<Buffer> {
    await this.#fill(count);
    if (this.#pendingBytes < count) {
      const total = this.#takenBytes + this.#pendingBytes;
      throw new BadRpm(
        `truncated ${what}: the file ends after ${total} bytes, ${count - this.#pendingBytes} too early`,
      );
    }
    const all = this.#joined();
    this.#pending = [all.subarray(count)];
    this.#pendingBytes -= count;
    this.#takenBytes += count;
    return all.subarray(0, count);
  }

  /** At most `count` of the next bytes, without taking them. */
  async peek(count: number): Promise<Buffer> {
    await this.#fill(count);
    return this.#joined().subarray(0, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return?.();
  }

  /** What is pending, in one piece: a piece that is one already is not copied. */
  #joined(): Buffer {
    const [only, ...others] = this.#pending;
    const all =
      only !== undefined && others.length === 0
        ? Buffer.from(only.buffer, only.byteOffset, only.byteLength)
        : Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [all];
    return all;
  }

  async #fill(count: number): Promise<void> {
    while (this.#pendingBytes < count) {
      const next = await this.#chunks.next();
      if (next.done) return;
      this.#pending.push(next.value);
      this.#pendingBytes += next.value.byteLength;
    }
  }
}

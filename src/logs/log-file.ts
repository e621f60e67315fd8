import { type FileHandle, open } from 'node:fs/promises';
import type { LogSink } from '../core/log-sink.ts';

/** A log of a task on this host: bytes are appended in the order of the calls, whoever calls. */
export class LogFile implements LogSink {
  readonly name: string;
  readonly path: string;
  readonly #file: FileHandle;
  #tail: Promise<void> = Promise.resolve();
  #size = 0;

  private constructor(name: string, path: string, file: FileHandle) {
    this.name = name;
    this.path = path;
    this.#file = file;
  }

  static async create(name: string, path: string): Promise<LogFile> {
    return new LogFile(name, path, await open(path, 'a'));
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  write(bytes: Uint8Array | string): Promise<void> {
    const written = this.#tail.then(async () => {
      const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
      let offset = 0;
      while (offset < data.length) offset += (await this.#file.write(data, offset)).bytesWritten;
      this.#size += data.length;
    });
    // The next write must run after a failed one, too; the failure itself belongs to who awaits this one.
    this.#tail = written.catch(() => undefined);
    return written;
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#file.close();
  }
}

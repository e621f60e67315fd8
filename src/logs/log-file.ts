import { type FileHandle, open, stat } from 'node:fs/promises';
import { appendWhole } from '../core/append-atomically.ts';
import { BuilderError } from '../core/errors.ts';
import type { LogSink } from '../core/log-sink.ts';
import { printableLines } from '../core/printable.ts';

/** A log of a task was cut, replaced or removed from outside, and its content is lost. */
export class LogDamaged extends BuilderError {
  override readonly disposition = 'free';

  constructor(path: string) {
    super(
      'log-damaged',
      'builder',
      `${path} is not what was written to it: it was changed or removed from outside`,
    );
  }
}

/** How far a log has come, and which file it is. */
export interface LogMark {
  readonly size: number;
  readonly inode: number;
}

/** A log of a task on this host: bytes are appended in the order of the calls, from all callers. */
export class LogFile implements LogSink {
  readonly name: string;
  readonly path: string;
  readonly #file: FileHandle;
  readonly #inode: number;
  #tail: Promise<void> = Promise.resolve();
  #size: number;
  #isPast: boolean;

  private constructor(
    place: Pick<LogFile, 'name' | 'path'>,
    file: FileHandle,
    mark: LogMark,
    isPast: boolean,
  ) {
    this.name = place.name;
    this.path = place.path;
    this.#file = file;
    this.#inode = mark.inode;
    this.#size = mark.size;
    this.#isPast = isPast;
  }

  /** Begins an empty one. */
  static async create(name: string, path: string): Promise<LogFile> {
    const file = await openToAppend(path, 'empty');
    return new LogFile({ name, path }, file, { size: 0, inode: (await file.stat()).ino }, false);
  }

  /** Opens one that a previous run has written: what is written is taken for what lies there, until `resume`. */
  static async reopen(name: string, path: string): Promise<LogFile> {
    const file = await openToAppend(path, 'as it is');
    const { size, ino: inode } = await file.stat();
    return new LogFile({ name, path }, file, { size, inode }, true);
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  get mark(): LogMark {
    return { size: this.#size, inode: this.#inode };
  }

  /** Whether it is still as a previous run has left it. */
  get isPast(): boolean {
    return this.#isPast;
  }

  /** Appends all of it or, when that fails, nothing: bytes as they are, a text of ours made printable. */
  write(bytes: Uint8Array | string): Promise<void> {
    const written = this.#tail.then(async () => {
      if (!this.#isPast)
        await this.#append(typeof bytes === 'string' ? Buffer.from(printableLines(bytes)) : bytes);
    });
    // The next write must run after a failed one, too; the failure itself belongs to who awaits this one.
    this.#tail = written.catch(() => undefined);
    return written;
  }

  async #append(data: Uint8Array): Promise<void> {
    await appendWhole(this.#file, data, this.#size);
    this.#size += data.length;
  }

  /**
   * Writes from now on: at this mark (null: at the beginning), or when it is `growing` behind all that is there. Rejects
   * with {@link LogDamaged} when that is less, or another file.
   */
  async resume(mark: LogMark | null, growing: boolean): Promise<void> {
    await this.#tail;
    if (!this.#isPast) return;
    const { size, inode } = mark ?? { size: 0, inode: this.#inode };
    if (size > this.#size || inode !== this.#inode) throw new LogDamaged(this.path);
    if (!growing && size < this.#size) {
      await this.#file.truncate(size);
      this.#size = size;
    }
    this.#isPast = false;
  }

  /** The last bytes from `start` on, `count` at most. */
  async end(start: number, count: number): Promise<Uint8Array> {
    const from = Math.max(start, this.#size - count);
    const buffer = new Uint8Array(Math.max(0, this.#size - from));
    const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, from);
    return buffer.subarray(0, bytesRead);
  }

  /** Rejects with {@link LogDamaged} when the file at its place is not this one, or has another size. */
  async assertWhole(): Promise<void> {
    await this.#tail;
    const [own, there] = await Promise.all([this.#file.stat(), stat(this.path).catch(() => null)]);
    if (own.size !== this.#size || there?.ino !== own.ino) throw new LogDamaged(this.path);
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#file.close();
  }
}

async function openToAppend(path: string, content: 'empty' | 'as it is'): Promise<FileHandle> {
  const file = await open(path, 'a+');
  if (content === 'empty') await file.truncate(0);
  return file;
}

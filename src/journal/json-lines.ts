import { type FileHandle, open, readFile } from 'node:fs/promises';
import { appendWhole } from '../core/append-atomically.ts';

/**
 * A file of JSON values, one in a line, that is only appended to. What was appended is there for the next process
 * however this one ends; a line that was cut off by that is as if it had never been written. Numbers too large for
 * a `number` are kept.
 */
export class JsonLines {
  readonly #file: FileHandle;
  #size: number;
  #tail: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Begins a new file, readable by its owner only; one that is there is replaced. */
  static async create(path: string): Promise<JsonLines> {
    const file = await open(path, 'a', 0o600);
    await file.truncate(0);
    return new JsonLines(file, 0);
  }

  /** Opens a file to resume it, and gives the values it holds. Rejects when it is not there or holds something else. */
  static async reopen(path: string): Promise<{ readonly lines: JsonLines; readonly values: unknown[] }> {
    const text = await readFile(path, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const values = whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line, revive) as unknown);
    const file = await open(path, 'a', 0o600);
    const size = Buffer.byteLength(whole);
    await file.truncate(size);
    return { lines: new JsonLines(file, size), values };
  }

  /** Resolves when the value is in the file. What could not be written, as the disk is full, leaves no trace in it. */
  append(value: unknown): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(value, reduce)}\n`);
    const written = this.#tail.then(() => this.#write(line));
    // The next line is another matter; the failure belongs to who awaits this one.
    this.#tail = written.catch(() => undefined);
    return written;
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#file.close();
  }

  async #write(line: Uint8Array): Promise<void> {
    await appendWhole(this.#file, line, this.#size);
    this.#size += line.length;
  }
}

const bigKey = '$bigint';

function reduce(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? { [bigKey]: String(value) } : value;
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(bigKey in value)) return value;
  return BigInt(String(value[bigKey]));
}

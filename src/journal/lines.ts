import { type FileHandle, open, readFile } from 'node:fs/promises';

/**
 * A file of JSON values, one in a line, that is only appended to. What was appended is there for the next process
 * however this one ends; a line that was cut off by that is as if it had never been written. Numbers too large for
 * a `number` are kept.
 */
export class JsonLines {
  readonly #file: FileHandle;
  #tail: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Begins a new file, readable by its owner only; one that is there is replaced. */
  static async create(path: string): Promise<JsonLines> {
    return new JsonLines(await open(path, 'w', 0o600));
  }

  /** Opens a file to go on with it, and gives the values it holds. Rejects when it is not there or holds something else. */
  static async reopen(path: string): Promise<{ readonly lines: JsonLines; readonly values: unknown[] }> {
    const text = await readFile(path, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    const values = whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line, revive) as unknown);
    const file = await open(path, 'a', 0o600);
    await file.truncate(Buffer.byteLength(whole));
    return { lines: new JsonLines(file), values };
  }

  /** Resolves when the value is in the file. */
  append(value: unknown): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(value, reduce)}\n`);
    const written = this.#tail.then(async () => {
      for (let offset = 0; offset < line.length; )
        offset += (await this.#file.write(line, offset)).bytesWritten;
    });
    // The next line is another matter; the failure belongs to who awaits this one.
    this.#tail = written.catch(() => undefined);
    return written;
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#file.close();
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

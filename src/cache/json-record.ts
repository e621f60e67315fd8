import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { isMissing } from '../core/fs-errors.ts';

/**
 * Reads a record that `writeRecord` has left. Null when there is none, or when it is not what the schema says: such a
 * file is of an older version or damaged, and is removed. The time of a file is that of its last use: `noteUse`.
 */
export async function readRecord<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    await rm(path, { force: true });
    return null;
  }
}

/** When the record was last used, in milliseconds; null when it is gone. */
export async function lastUse(path: string): Promise<number | null> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Makes now the time of the record's last use. */
export async function noteUse(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

/** Writes a record so that a reader finds all of it or nothing. */
export async function writeRecord(path: string, record: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${crypto.randomUUID()}.new`;
  try {
    await writeFile(draft, JSON.stringify(record));
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

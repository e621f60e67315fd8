import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { below } from '../core/below.ts';
import { isMissing } from '../core/fs-errors.ts';
import { lastUse, noteUse, readRecord, writeRecord } from './json-record.ts';

/** What a solver has kept of a repo, beside its files: their names, sizes and digests. */
const MetadataRecord = z.object({
  files: z.array(z.object({ path: z.string(), sizeBytes: z.number(), sha256: z.string() })),
});

const recordName = 'record.json';

export interface CachedMetadata {
  readonly key: string;
  readonly sizeBytes: number;
  readonly usedMs: number;
}

/**
 * What a solver makes of a repo's metadata when it loads it, by the state of the repo and the solver it is for, so
 * that the next task need neither fetch nor parse it. Solvers get copies, and only of what is as it was kept. Safe
 * for concurrent use.
 */
export class MetadataCache {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Copies what is kept under the key into a new directory, each file to the path that `toPath` gives; false when there
   * is nothing, or it is damaged.
   */
  async copyTo(
    key: string,
    target: string,
    toPath: (kept: string) => string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const place = join(this.#directory, key);
    const record = await readRecord(join(place, recordName), MetadataRecord);
    if (record === null) {
      // Without its record the rest is nothing, and in the way.
      await rm(place, { recursive: true, force: true });
      return false;
    }
    try {
      for (const { path, sizeBytes, sha256 } of record.files) {
        const copy = below(target, toPath(path));
        await mkdir(dirname(copy), { recursive: true });
        await copyFile(below(place, path), copy, constants.COPYFILE_FICLONE);
        const found = (await stat(copy)).size === sizeBytes ? await digestOfFile(copy, signal) : null;
        if (found !== sha256) throw new Damaged();
      }
      await noteUse(join(place, recordName));
      return true;
    } catch (error) {
      await rm(target, { recursive: true, force: true });
      // Removed meanwhile, or not what was kept: the solver fetches it as if it had never been here.
      if (!(error instanceof Damaged) && !isMissing(error)) throw error;
      await rm(place, { recursive: true, force: true });
      return false;
    }
  }

  /** Keeps a copy of a directory's files, unless there is one already; `toKept` names them, or leaves one out with null. */
  async keep(
    key: string,
    source: string,
    toKept: (path: string) => string | null,
    signal: AbortSignal,
  ): Promise<void> {
    const place = join(this.#directory, key);
    if ((await lastUse(join(place, recordName))) !== null) return;
    const draft = `${place}.${crypto.randomUUID()}.new`;
    try {
      const files: z.infer<typeof MetadataRecord>['files'] = [];
      for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const from = join(entry.parentPath, entry.name);
        const path = toKept(relative(source, from));
        if (path === null) continue;
        const copy = below(draft, path);
        await mkdir(dirname(copy), { recursive: true });
        await copyFile(from, copy, constants.COPYFILE_FICLONE);
        const { size } = await stat(copy);
        files.push({ path, sizeBytes: size, sha256: await digestOfFile(copy, signal) });
      }
      await writeRecord(join(draft, recordName), { files });
      await rename(draft, place);
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      // Another task has kept the same, or the disk is full and room was made.
      if (!isThereAlready(error) && !isMissing(error)) throw error;
    }
  }

  /** All that is kept, with the time of its last use, in no order. */
  async list(): Promise<readonly CachedMetadata[]> {
    const keys = await readdir(this.#directory).catch(() => []);
    const found = keys.map(async (key) => {
      const path = join(this.#directory, key, recordName);
      const record = await readRecord(path, MetadataRecord);
      // What is being kept has no record yet.
      const usedMs = (await lastUse(path)) ?? (await lastUse(join(this.#directory, key))) ?? 0;
      const sizeBytes = record?.files.reduce((sum, file) => sum + file.sizeBytes, 0) ?? 0;
      return { key, sizeBytes, usedMs };
    });
    return Promise.all(found);
  }

  /** Removes what `list` has named. */
  async remove({ key }: CachedMetadata): Promise<void> {
    await rm(join(this.#directory, key), { recursive: true, force: true });
  }
}

class Damaged extends Error {}

function isThereAlready(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOTEMPTY', 'EEXIST'].includes(String(error.code));
}

async function digestOfFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash, { signal });
  return hash.digest('hex');
}

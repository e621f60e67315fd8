import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { RootName, RootStore } from '../container/root-store.ts';
import type { DraftRoot, KeptRoot } from '../container/spec.ts';
import { untilAborted } from '../core/deadline.ts';
import { isMissing } from '../core/fs-errors.ts';
import type { Logger } from '../core/logger.ts';
import { lastUse, noteUse, readRecord, writeRecord } from './json-record.ts';

/** A prepared root that is there at once, and what is in it. */
export interface Snapshot {
  readonly key: string;
  readonly root: KeptRoot;
  /** What the root holds, as rpm listed it when it was made (`install-script.ts installedFormat`). */
  readonly listing: string;
  /** What it was made for, for people: `@build, arch x86_64`. */
  readonly title: string;
}

const SnapshotRecord = z.object({
  key: z.string(),
  /** `StoredRoot.id`. */
  imageId: z.string(),
  listing: z.string(),
  title: z.string(),
  ownBytes: z.number(),
});

/**
 * Prepared roots by the digest of what is in them. Each is a root of the back end and a small record of it; one without
 * the other is nothing. Safe for concurrent use within one process.
 */
export class SnapshotStore {
  readonly #roots: RootStore;
  readonly #directory: string;
  readonly #log: Logger;
  readonly #makers = new Map<string, { readonly name: string; readonly done: Promise<unknown> }>();
  /** How many hold a snapshot, by its key. */
  readonly #held = new Map<string, number>();

  /** `directory` holds the records. */
  constructor(roots: RootStore, directory: string, log: Logger) {
    this.#roots = roots;
    this.#directory = directory;
    this.#log = log;
  }

  /** The snapshot of this key, if it is there and its root is still the one that was made. */
  async find(key: string, signal: AbortSignal): Promise<Snapshot | null> {
    const record = await readRecord(this.#path(key), SnapshotRecord);
    if (record === null) return null;
    const found = await this.#roots.find(this.#name(key), signal);
    if (found?.id === record.imageId) {
      await noteUse(this.#path(key));
      return { key, root: found.root, listing: record.listing, title: record.title };
    }
    const fate = found === null ? 'is gone' : 'was replaced';
    this.#log.warn({ snapshot: key }, `the root of a snapshot ${fate}, making the snapshot again`);
    await rm(this.#path(key), { force: true });
    return null;
  }

  /**
   * One maker at a time for a key: runs `make` when no other caller does, else waits until the other has made it and
   * kept it, after a word to `waiting` with the other's name. Null for those who waited: they look again, and make it themselves if the other
   * has failed.
   */
  async alone<T>(
    key: string,
    make: () => Promise<T>,
    waiting: (other: string) => Promise<void>,
    signal: AbortSignal,
    name = 'another task',
  ): Promise<T | null> {
    const other = this.#makers.get(key);
    if (other !== undefined) {
      await waiting(other.name);
      // A failure is for its maker; the next caller finds nothing and tries.
      await untilAborted(
        other.done.catch(() => undefined),
        signal,
      );
      return null;
    }
    const mine = make();
    this.#makers.set(key, { name, done: mine });
    try {
      return await mine;
    } finally {
      this.#makers.delete(key);
    }
  }

  /**
   * Makes a snapshot of a draft, which then can only be removed, and resolves with its root. After a failure, and after a crash of
   * the process, it may be tried again (`RootStore.commit`).
   */
  async keep(
    { key, listing, title }: Omit<Snapshot, 'root'>,
    draft: DraftRoot,
    signal: AbortSignal,
  ): Promise<KeptRoot> {
    // A root whose area is not there is swept by the next start.
    await mkdir(this.#directory, { recursive: true });
    const { id: imageId, root, bytes: ownBytes } = await this.#roots.commit(draft, this.#name(key), signal);
    await writeRecord(this.#path(key), { key, imageId, listing, title, ownBytes });
    this.#log.info({ snapshot: key, title, ownBytes }, 'snapshot saved');
    return root;
  }

  /** Keeps a snapshot from being removed until what is returned has been disposed. */
  hold(key: string): Disposable {
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        const others = (this.#held.get(key) ?? 1) - 1;
        if (others === 0) this.#held.delete(key);
        else this.#held.set(key, others);
      },
    };
  }

  /** Removes a snapshot; false when it is in use. */
  async forget(key: string): Promise<boolean> {
    if (this.#held.has(key) || !(await this.#roots.remove(this.#name(key)))) return false;
    await rm(this.#path(key), { force: true });
    return true;
  }

  /** All snapshots, with the time of their last use. */
  async list(signal: AbortSignal): Promise<readonly StoredSnapshot[]> {
    const roots = await this.#roots.list(signal);
    const names = await readdir(this.#directory).catch(() => []);
    const found = names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => {
        const path = join(this.#directory, name);
        const usedMs = await lastUse(path);
        const record = await readRecord(path, SnapshotRecord);
        const root = roots.find(({ id }) => id === record?.imageId);
        if (usedMs === null || record === null || root === undefined) return [];
        const { key, title, ownBytes } = record;
        return [{ key, title, ownBytes, usedMs, createdMs: root.createdMs }];
      });
    return (await Promise.all(found)).flat();
  }

  /**
   * Removes roots without a record: of this store, because a process ended between the two, and of stores whose
   * directory is gone. Before anything else is done.
   */
  async sweep(signal: AbortSignal): Promise<number> {
    let swept = 0;
    for (const root of await this.#roots.list(signal)) {
      const { key, area } = root.name;
      if (area === this.#directory) {
        const record = await readRecord(this.#path(key), SnapshotRecord);
        if (record?.imageId === root.id) continue;
      } else if (await isThere(area)) continue;
      if (await this.#roots.remove({ id: root.id })) swept += 1;
    }
    return swept;
  }

  #name(key: string): RootName {
    return { key, area: this.#directory };
  }

  #path(key: string): string {
    return join(this.#directory, `${key}.json`);
  }
}

export interface StoredSnapshot {
  readonly key: string;
  readonly title: string;
  readonly usedMs: number;
  readonly createdMs: number;
  /** Without what it shares with the one it was made on. */
  readonly ownBytes: number;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

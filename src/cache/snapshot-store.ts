import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ContainerBackend } from '../container/backend.ts';
import { ContainerError } from '../container/errors.ts';
import type { ImageStore } from '../container/image-store.ts';
import type { ContainerManager } from '../container/manager.ts';
import type { ContainerId } from '../container/spec.ts';
import { untilAborted } from '../core/deadline.ts';
import { isMissing } from '../core/fs-errors.ts';
import type { Logger } from '../core/logger.ts';
import { lastUse, noteUse, readRecord, writeRecord } from './json-record.ts';

/** A prepared root that is there at once: an image, and what is in it. */
export interface Snapshot {
  readonly key: string;
  /** Name of the image in container storage. */
  readonly image: string;
  /** What the root holds, as rpm listed it when it was made (`install-script.ts installedFormat`). */
  readonly listing: string;
  /** What it was made for, for people: `@build, arch x86_64`. */
  readonly title: string;
}

const SnapshotRecord = z.object({
  key: z.string(),
  imageId: z.string(),
  listing: z.string(),
  title: z.string(),
  ownBytes: z.number(),
});

/** The label by which the images of a store are found; its value is the snapshot's key. */
export const snapshotLabel = 'io.koji.adjutant.snapshot';
/** A second label: where its record lies. Workers of one host share the storage, but not their records. */
export const snapshotAreaLabel = 'io.koji.adjutant.snapshot.area';
const repository = 'localhost/koji-adjutant-root';

/**
 * Prepared roots by the digest of what is in them. Each is an image in container storage and a small record beside
 * it; one without the other is nothing. Safe for concurrent use within one process.
 */
export class SnapshotStore {
  readonly #containers: ContainerManager;
  readonly #images: ImageStore;
  readonly #directory: string;
  readonly #area: string;
  readonly #log: Logger;
  readonly #makers = new Map<string, { readonly name: string; readonly done: Promise<unknown> }>();
  /** How many hold a snapshot, by its key. */
  readonly #held = new Map<string, number>();

  /** `directory` holds the records. */
  constructor(
    { containers, images }: Pick<ContainerBackend, 'containers' | 'images'>,
    directory: string,
    log: Logger,
  ) {
    this.#containers = containers;
    this.#images = images;
    this.#directory = directory;
    this.#area = createHash('sha256').update(directory).digest('hex').slice(0, 12);
    this.#log = log;
  }

  /** The snapshot of this key, if it is there and its image is still the one that was made. */
  async find(key: string, signal: AbortSignal): Promise<Snapshot | null> {
    const record = await readRecord(this.#path(key), SnapshotRecord);
    if (record === null) return null;
    const image = this.#imageOf(key);
    try {
      const found = await this.#images.ensure(image, 'never', signal);
      if (found.id === record.imageId) {
        await noteUse(this.#path(key));
        return { key, image, listing: record.listing, title: record.title };
      }
      this.#log.warn({ snapshot: key }, 'the image of a snapshot was replaced, making the snapshot again');
    } catch (error) {
      if (!(error instanceof ContainerError) || error.code !== 'image-missing') throw error;
      this.#log.warn({ snapshot: key }, 'the image of a snapshot is gone, making the snapshot again');
    }
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
   * Makes a snapshot of the root of a container at rest, which then can only be removed, and resolves with the name of
   * its image. After a failure, and after a crash of the process, it may be tried again (`ContainerManager.commit`).
   */
  async keep(
    { key, listing, title }: Omit<Snapshot, 'image'>,
    container: ContainerId,
    signal: AbortSignal,
  ): Promise<string> {
    const image = this.#imageOf(key);
    const labels = { [snapshotLabel]: key, [snapshotAreaLabel]: this.#directory };
    // An image whose area is not there is swept by the next start.
    await mkdir(this.#directory, { recursive: true });
    const { id: imageId, bytes: ownBytes } = await this.#containers.commit(container, image, labels, signal);
    await writeRecord(this.#path(key), { key, imageId, listing, title, ownBytes });
    this.#log.info({ snapshot: key, title, ownBytes }, 'snapshot saved');
    return image;
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
    if (this.#held.has(key) || !(await this.#containers.removeImage(this.#imageOf(key)))) return false;
    await rm(this.#path(key), { force: true });
    return true;
  }

  /** All snapshots, with the time of their last use. */
  async list(signal: AbortSignal): Promise<readonly StoredSnapshot[]> {
    const images = await this.#containers.storedImages(snapshotLabel, signal);
    const names = await readdir(this.#directory).catch(() => []);
    const found = names
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => {
        const path = join(this.#directory, name);
        const usedMs = await lastUse(path);
        const record = await readRecord(path, SnapshotRecord);
        const image = images.find(({ id }) => id === record?.imageId);
        if (usedMs === null || record === null || image === undefined) return [];
        const { key, title, ownBytes } = record;
        return [{ key, title, ownBytes, usedMs, createdMs: image.createdMs }];
      });
    return (await Promise.all(found)).flat();
  }

  /**
   * Removes images without a record: of this store, because a process ended between the two, and of stores whose
   * directory is gone. Before anything else is done.
   */
  async sweep(signal: AbortSignal): Promise<number> {
    let swept = 0;
    for (const { id, labels } of await this.#containers.storedImages(snapshotLabel, signal)) {
      const key = labels[snapshotLabel];
      const directory = labels[snapshotAreaLabel];
      if (key === undefined || directory === undefined) continue;
      if (directory === this.#directory) {
        const record = await readRecord(this.#path(key), SnapshotRecord);
        if (record?.imageId === id) continue;
      } else if (await isThere(directory)) continue;
      if (await this.#containers.removeImage(id)) swept += 1;
    }
    return swept;
  }

  #imageOf(key: string): string {
    return `${repository}-${this.#area}:${key}`;
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
  /** Without the layers it shares with the one it was made on. */
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

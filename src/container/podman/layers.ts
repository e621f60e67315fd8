import { randomUUID } from 'node:crypto';
import { chmod, chown, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { describeError } from '../../core/errors.ts';
import { ContainerError } from '../errors.ts';
import type { ContainerId } from '../spec.ts';
import type { Engine } from './api/client.ts';
import { inspectContainer, upperDir } from './api/container-state.ts';
import type { RootMounts } from './create/root-mounts.ts';
import type { PodmanImages } from './image-store.ts';
import { blocksOf, sizeOf } from './limits/disk-usage.ts';

/** In a container's directory: its layer, while an image is made that gets it. */
const aside = 'koji-adjutant-layer';
/** In a container's directory: what was in the place that its layer has gone to. It has none of its own any more. */
const given = 'koji-adjutant-given';
/** In a container's directory: the empty layer that it was made with, before it got another one's. */
const replaced = 'koji-adjutant-replaced';

/**
 * Hands the writable layers of containers on, as they are: a layer is a directory of the engine's storage, and that is
 * moved. A copy, as the engine would make it, takes seconds and loses what tar does not hold: nanoseconds, ACLs, sockets,
 * holes, hard links to other layers.
 */
export class Layers {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #roots: RootMounts;
  readonly #images: PodmanImages;

  constructor(engine: Engine, clock: Clock, roots: RootMounts, images: PodmanImages) {
    this.#engine = engine;
    this.#clock = clock;
    this.#roots = roots;
    this.#images = images;
  }

  /**
   * Makes an image of this name and with these labels of the layer of a container that does not run, as
   * `RootStore.commit` promises; `bytes` is the size of the layer. The engine makes the image of next to nothing, and gets the layer into that one's
   * place. May be done again when it was interrupted.
   */
  async keep(
    container: ContainerId,
    image: string,
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly bytes: number }> {
    await this.#roots.retire(container, signal);
    const layer = await this.#layerOf(container, signal);
    const place = dirname(layer);
    const own = join(place, aside);
    if (await isThere(join(place, given)))
      throw new ContainerError('no-such-container', `container ${container} has no layer: an image has it`);
    if (await isThere(own)) {
      await rm(layer, { recursive: true, force: true });
      await move(own, layer);
    }
    const isRoot = process.getuid?.() === 0;
    const before = isRoot ? null : await sizeOf(this.#engine, container, signal);
    await move(layer, own);
    // Of nothing the engine would make the layer that another image of nothing has.
    await makeLayer(layer, randomUUID());
    const [bytes, id] = await Promise.all([
      before ?? blocksOf([own], signal),
      this.#images.commit(container, labels, signal),
    ]);
    const target = await this.#images.layerOf(id, signal);
    await move(target, join(place, given));
    await move(own, target);
    // Only now: another process may look for an image of that name.
    await this.#images.name(id, image, signal);
    return { id, bytes };
  }

  /**
   * Gives the layer of a container that has ended to one that has not started; that one's own is thrown away. May be
   * done again, also when all of it was done and the first container is gone.
   */
  async pass(from: ContainerId, to: ContainerId, signal: AbortSignal): Promise<void> {
    const target = await this.#layerOf(to, signal);
    const empty = join(dirname(target), replaced);
    if (!(await isThere(empty))) {
      await this.#roots.retire(from, signal);
      await move(target, empty);
    }
    if (await isThere(target)) return;
    const layer = await this.#layerOf(from, signal);
    await move(layer, target);
    // The engine finds what it looks for when it removes the container.
    await makeLayer(layer);
  }

  async #layerOf(container: ContainerId, signal: AbortSignal): Promise<string> {
    const { GraphDriver } = await inspectContainer(this.#engine, this.#clock, container, signal);
    return upperDir(GraphDriver, `container ${container}`);
  }
}

async function makeLayer(path: string, content?: string): Promise<void> {
  const { uid, gid } = await stat(dirname(path));
  const file = join(path, '.koji-adjutant-layer');
  await mkdir(path);
  if (content !== undefined) await writeFile(file, content);
  if (process.getuid?.() !== 0) return;
  for (const made of content === undefined ? [path] : [path, file]) await chown(made, uid, gid);
}

/** Only root may move a directory that its owner cannot write to, and `/` often is one. */
async function move(from: string, to: string): Promise<void> {
  try {
    const { mode } = await stat(from);
    const isClosed = process.getuid?.() !== 0 && (mode & 0o200) === 0;
    if (isClosed) await chmod(from, (mode & 0o7777) | 0o200);
    await rename(from, to);
    if (isClosed) await chmod(to, mode & 0o7777);
  } catch (error) {
    throw new ContainerError(
      'engine-failed',
      `cannot move ${from} to ${to} in the engine's storage: ${describeError(error)}; the daemon has to run as root or as the user whose engine it is, and the storage without quotas for layers`,
      { cause: error },
    );
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw new ContainerError(
      'engine-failed',
      `cannot look at ${path} in the engine's storage: ${describeError(error)}`,
      { cause: error },
    );
  }
}

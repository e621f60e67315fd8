import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { ContainerError } from '../errors.ts';
import type {
  CommittedRoot,
  Draft,
  DraftSpec,
  FoundRoot,
  RootName,
  RootStore,
  StoredRoot,
} from '../root-store.ts';
import type { ContainerId, ContainerSpec, DraftRoot, KeptRoot } from '../spec.ts';
import type { Engine } from './api/client.ts';
import type { ContainerMaker, MakeContext } from './container-maker.ts';
import { bindWritable } from './create/resolve-mounts.ts';
import type { MountedRoot, RootMounts } from './create/root-mounts.ts';
import { type EmptyDirectory, type PodmanImages, rootLabels } from './image-store.ts';
import type { Layers } from './layers.ts';
import { removeContainer } from './remove-container.ts';

const repository = 'localhost/koji-adjutant-root';

/** What a draft on nothing holds: crun makes no directory to mount the kernel's file systems on, where runc does. */
const kernelPlaces: readonly EmptyDirectory[] = ['/proc', '/sys'].map((path) => ({
  path,
  uid: 0,
  gid: 0,
  mode: 0o555,
}));

export interface PodmanRootsParts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly maker: ContainerMaker;
  readonly images: PodmanImages;
  readonly mounts: RootMounts;
  readonly layers: Layers;
}

/**
 * Roots in podman's storage. A draft is a container that is never started, whose root others get mounted; a kept root is
 * an image, which is made by moving the draft's layer into it. A root that a step reads is that of another container of the
 * image, made for that step alone.
 */
export class PodmanRoots implements RootStore {
  readonly #parts: PodmanRootsParts;

  constructor(parts: PodmanRootsParts) {
    this.#parts = parts;
  }

  async prepare(draft: DraftSpec, signal: AbortSignal): Promise<Draft> {
    const id = await this.#holder(draft, signal);
    return this.#toDraft(draft.name, id);
  }

  async recover({ name, owner }: DraftSpec, signal: AbortSignal): Promise<Draft | null> {
    const found = await this.#parts.maker.find(name, owner, signal);
    return found === null ? null : this.#toDraft(name, found.Id);
  }

  async commit({ id }: DraftRoot, name: RootName, signal: AbortSignal): Promise<CommittedRoot> {
    const image = imageOf(name);
    const labels = { [rootLabels.key]: name.key, [rootLabels.area]: name.area };
    const kept = await this.#parts.layers.keep(id, image, labels, signal);
    return { ...kept, root: { kind: 'kept', id: image } };
  }

  async find(name: RootName, signal: AbortSignal): Promise<FoundRoot | null> {
    const image = imageOf(name);
    const found = await this.#parts.images.find(image, signal);
    return found === null ? null : { id: found.id, root: { kind: 'kept', id: image } };
  }

  async list(signal: AbortSignal): Promise<readonly StoredRoot[]> {
    const images = await this.#parts.images.list(rootLabels.key, signal);
    return images.flatMap(({ id, names, labels, createdMs }) => {
      const key = labels[rootLabels.key];
      const area = labels[rootLabels.area];
      if (key === undefined || area === undefined) return [];
      return [{ id, name: { key, area }, root: { kind: 'kept', id: names[0] ?? id }, createdMs }];
    });
  }

  async remove(root: RootName | Pick<StoredRoot, 'id'>): Promise<boolean> {
    return this.#parts.images.remove('id' in root ? root.id : imageOf(root));
  }

  /** What the root of a container is made of, and the mounts that belong to it; both are there until `held` is disposed. */
  async rootFor(
    { root }: ContainerSpec,
    held: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<Pick<MakeContext, 'root' | 'mounts' | 'lentBy'>> {
    switch (root.kind) {
      case 'image':
        return { root: { image: root.image }, mounts: [], lentBy: [] };
      case 'layer':
        return { root: { image: root.on.id }, mounts: [], lentBy: [] };
      case 'visit': {
        const { mounts } = this.#parts;
        const { id } = root.root;
        const { path } = held.use(await mounts.acquire(id, signal));
        const stays = root.stays.map(async (place) =>
          bindWritable(join(path, await mounts.resolve(id, place, signal)), place),
        );
        return { root: { rootfs: path }, mounts: await Promise.all(stays), lentBy: [id] };
      }
    }
  }

  /**
   * A root that is mounted into a container that is being made: mounted until `held` is disposed, with the container that has it. `index`
   * tells those apart that the container uses.
   */
  async lend(
    root: DraftRoot | KeptRoot,
    spec: ContainerSpec,
    index: number,
    held: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<{ readonly container: ContainerId; readonly mounted: MountedRoot }> {
    const container = root.kind === 'draft' ? root.id : await this.#lender(root, spec, index, held, signal);
    return { container, mounted: held.use(await this.#parts.mounts.acquire(container, signal)) };
  }

  /** The containers that a previous run has made to lend roots to the container of this spec. */
  async lendersOf(spec: ContainerSpec, signal: AbortSignal): Promise<readonly Draft[]> {
    const found: Draft[] = [];
    for (const [index, mount] of spec.mounts.entries()) {
      if (mount.kind !== 'root' || mount.root.kind !== 'kept') continue;
      const name = lenderName(spec, index);
      const lender = await this.#parts.maker.find(name, spec.owner, signal);
      if (lender !== null) found.push(this.#toDraft(name, lender.Id));
    }
    return found;
  }

  async #lender(
    parent: KeptRoot,
    spec: ContainerSpec,
    index: number,
    held: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<ContainerId> {
    const { owner, labels } = spec;
    const name = lenderName(spec, index);
    const id = await this.#holder({ name, parent, owner, labels }, signal);
    held.use(this.#toDraft(name, id));
    return id;
  }

  /** A container that never runs, on the parent or on nothing. */
  async #holder(draft: DraftSpec, signal: AbortSignal): Promise<ContainerId> {
    signal.throwIfAborted();
    const { images, maker } = this.#parts;
    const image = draft.parent?.id ?? (await images.ensureEmpty(kernelPlaces, signal));
    const alone = { root: { image }, mounts: [], overlayVolumes: [], masked: [], lentBy: [] };
    const make = () => maker.make(holderSpec(draft, image), alone, signal);
    const id = draft.parent === null ? await make() : await onKeptRoot(draft.parent, make);
    if (!signal.aborted) return id;
    await this.#remove(id);
    throw signal.reason;
  }

  #toDraft(name: string, id: ContainerId): Draft {
    return {
      id,
      name,
      root: { kind: 'draft', id },
      [Symbol.asyncDispose]: () => this.#remove(id),
    };
  }

  #remove(id: ContainerId): Promise<void> {
    return removeContainer(this.#parts.engine, id, this.#parts.clock);
  }
}

/** Has `make` make a container on a kept root. Where that was removed, this says so: of its image nobody else knows. */
export async function onKeptRoot<T>(root: KeptRoot, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof ContainerError) || error.code !== 'image-missing') throw error;
    throw new ContainerError('no-such-container', `root ${root.id} was removed while it was needed`, {
      cause: error,
    });
  }
}

function imageOf({ key, area }: RootName): string {
  return `${repository}-${createHash('sha256').update(area).digest('hex').slice(0, 12)}:${key}`;
}

function lenderName({ name }: ContainerSpec, index: number): string {
  return `${name}-root-${index}`;
}

function holderSpec({ name, owner, labels }: DraftSpec, image: string): ContainerSpec {
  return {
    name,
    root: { kind: 'image', image },
    command: ['/never-run'],
    env: {},
    workdir: '/',
    user: { uid: 0, gid: 0 },
    capabilities: [],
    isolation: 'plain',
    network: 'none',
    hostname: 'root',
    mounts: [],
    limits: { pids: 1 },
    owner,
    labels,
  };
}

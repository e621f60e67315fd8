import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { ContainerBackend } from '../backend.ts';
import { ContainerError, type ContainerErrorCode } from '../errors.ts';
import type { ImageInfo, ImageStore } from '../image-store.ts';
import type {
  BackendInfo,
  Container,
  ContainerManager,
  ContainerSummary,
  KeptImage,
  StoredImage,
} from '../manager.ts';
import type { ContainerId, ContainerSpec, Mount } from '../spec.ts';
import { checkSpec } from '../validate-spec.ts';
import { behaviourOf, type FakeBehaviour } from './behaviour.ts';
import { FakeContainer, type Files } from './fake-container.ts';

type RootMount = Extract<Mount, { kind: 'root' }>;

export interface FakeManagerOptions {
  readonly clock: Clock;
  /** Images by name: there, or the code with which `images.ensure` rejects. Others are missing. */
  readonly images: Readonly<Record<string, ImageInfo | ContainerErrorCode>>;
  /** Decides how a container behaves; left out: the spec's environment does (`behaviourOf`). */
  readonly behave?: (spec: ContainerSpec) => FakeBehaviour;
}

/**
 * A container engine in memory, for tests of what uses one. It keeps every spec and call, and what a
 * real engine would not stand (a second start, a wait before it, an image that was not ensured) throws
 * and is kept in `misuses`, so that a test sees it even when the error was caught.
 */
export class FakeManager implements ContainerManager {
  readonly backend = 'fake';
  /** All specs that were created, in order. */
  readonly created: ContainerSpec[] = [];
  /** All calls with the name of their container, in order: `create a`, `start a`, `copyOut /x a`. */
  readonly calls: string[] = [];
  readonly misuses: string[] = [];
  readonly #options: FakeManagerOptions;
  readonly #containers = new Map<ContainerId, FakeContainer>();
  readonly #ensured = new Set<string>();
  readonly #committed = new Map<string, StoredImage>();
  /** Directories of images that were committed from an empty root. */
  readonly #directories = new Map<string, readonly string[]>();
  /** What is in the images that were made here, by their names. */
  readonly #files = new Map<string, Files>();

  constructor(options: FakeManagerOptions) {
    this.#options = options;
  }

  /** Throws when something was used wrongly, or a container was not removed. */
  assertClean(): void {
    const left = [...this.#containers.values()].map(({ name }) => `container ${name} is left over`);
    const complaints = [...this.misuses, ...left];
    if (complaints.length > 0) throw new Error(complaints.join('; '));
  }

  async probe(signal: AbortSignal): Promise<BackendInfo> {
    signal.throwIfAborted();
    return {
      name: this.backend,
      version: '0',
      rootless: false,
      storageDriver: 'memory',
      cgroupVersion: 'v2',
      limitsEnforced: true,
      storagePath: null,
      details: {
        runtime: null,
        fuse: null,
        storageOn: { fileSystem: null, hasFileTypes: null },
        missingControllers: [],
        runPath: null,
        freeLocks: null,
      },
    };
  }

  /** What `lacksRoom` says. */
  isFull = false;

  async lacksRoom(): Promise<boolean> {
    return this.isFull;
  }

  async ping(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  readonly images: ImageStore = {
    ensure: async (image, _policy, signal) => {
      signal.throwIfAborted();
      this.calls.push(`ensureImage ${image}`);
      const found = this.#options.images[image] ?? this.#committedInfo(image) ?? 'image-missing';
      if (typeof found === 'string') throw new ContainerError(found, `cannot get image ${image}`);
      this.#ensured.add(image);
      return found;
    },
  };

  /** What a back end is to those who use it. */
  get ports(): ContainerBackend {
    return { containers: this, images: this.images };
  }

  async create(spec: ContainerSpec, signal: AbortSignal): Promise<Container> {
    signal.throwIfAborted();
    this.calls.push(`create ${spec.name}`);
    checkSpec(spec);
    for (const { name } of this.#containers.values()) {
      if (name === spec.name) throw new ContainerError('bad-spec', `the name ${name} is in use`);
    }
    if (spec.root.kind === 'image' && !this.#ensured.has(spec.root.image)) {
      const complaint = `container ${spec.name} has image ${spec.root.image}, which was not ensured`;
      this.misuses.push(complaint);
      throw new ContainerError('image-missing', complaint);
    }
    for (const base of basesOf(spec)) this.#idle(base, `container ${spec.name}`);
    const { root } = spec;
    const layerOf = root.kind === 'image' ? root.layerOf : undefined;
    const layer = layerOf === undefined ? {} : this.#idle(layerOf, `container ${spec.name}`).give();
    for (const mount of spec.mounts) if (mount.kind === 'root') this.#refuseMissingPlaces(spec, mount);
    const { clock, behave = behaviourOf } = this.#options;
    const id = `fake-${this.created.length + 1}`;
    const container = new FakeContainer({
      id,
      spec,
      behaviour: behave(spec),
      layer,
      below: root.kind === 'image' ? (this.#files.get(root.image) ?? {}) : {},
      clock,
      createdMs: clock.now(),
      record: (call) => this.calls.push(call),
      misuse: (complaint) => {
        this.misuses.push(complaint);
        return new Error(complaint);
      },
      forget: () => this.#containers.delete(id),
    });
    this.created.push(spec);
    this.#containers.set(id, container);
    return container;
  }

  async adopt(spec: ContainerSpec, signal: AbortSignal): Promise<Container | null> {
    signal.throwIfAborted();
    this.calls.push(`adopt ${spec.name}`);
    for (const container of this.#containers.values()) {
      const { owner } = container.spec;
      if (container.name !== spec.name) continue;
      if (owner.workerId !== spec.owner.workerId || owner.taskId !== spec.owner.taskId) return null;
      container.mayBeStartedAgain();
      return container;
    }
    return null;
  }

  async list(workerId: string, signal: AbortSignal): Promise<readonly ContainerSummary[]> {
    signal.throwIfAborted();
    return [...this.#containers.values()]
      .map(({ summary }) => summary)
      .filter(({ owner }) => owner.workerId === workerId);
  }

  async layerBytes(id: ContainerId, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const container = this.#containers.get(id);
    if (container === undefined) throw new ContainerError('no-such-container', `there is no container ${id}`);
    return container.fileBytes;
  }

  async remove(id: ContainerId): Promise<void> {
    await this.#containers.get(id)?.[Symbol.asyncDispose]();
  }

  async commit(
    container: ContainerId,
    image: string,
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<KeptImage> {
    signal.throwIfAborted();
    this.calls.push(`commit ${image}`);
    const files = { ...this.#idle(container, 'the commit').give() };
    const number = this.calls.filter((call) => call.startsWith('commit ')).length;
    const createdMs = this.#options.clock.now();
    const id = createHash('sha256').update(`${container} ${number}`).digest('hex');
    const directories = this.#directoriesOf(container);
    if (directories === null) this.#directories.delete(image);
    else this.#directories.set(image, directories);
    this.#committed.set(image, { id, names: [image], labels, createdMs });
    this.#files.set(image, files);
    this.#ensured.add(image);
    return { id, bytes: 1000 };
  }

  async storedImages(label: string, signal: AbortSignal): Promise<readonly StoredImage[]> {
    signal.throwIfAborted();
    return [...this.#committed.values()].filter(({ labels }) => label in labels);
  }

  async removeImage(nameOrId: string): Promise<boolean> {
    this.calls.push(`removeImage ${nameOrId}`);
    const [image = nameOrId] = [...this.#committed].flatMap(([name, { id }]) =>
      id === nameOrId ? [name] : [],
    );
    const users = [...this.#containers.values()].map(({ spec }) => spec.root);
    if (users.some((root) => root.kind === 'image' && root.image === image)) return false;
    this.#committed.delete(image);
    this.#ensured.delete(image);
    return true;
  }

  #committedInfo(image: string): ImageInfo | undefined {
    const found = this.#committed.get(image);
    return found === undefined ? undefined : { id: found.id, digest: `sha256:${found.id}`, arch: 'x86_64' };
  }

  #refuseMissingPlaces(spec: ContainerSpec, root: RootMount): void {
    const directories = this.#directoriesOf(root.container);
    for (const path of kernelPlacesIn(root, spec)) {
      if (directories === null || directories.includes(path)) continue;
      const text = `container ${spec.name} mounts on ${path} of ${root.container}, which has no such directory`;
      throw new ContainerError('bad-spec', text);
    }
  }

  /** Null where nothing is known of them. */
  #directoriesOf(id: ContainerId): readonly string[] | null {
    const root = this.#containers.get(id)?.spec.root;
    if (root?.kind === 'empty') return root.directories.map(({ path }) => path);
    return root?.kind === 'image' ? (this.#directories.get(root.image) ?? null) : null;
  }

  /** The container, unless it runs. `user`: what wants its root. */
  #idle(id: ContainerId, user: string): FakeContainer {
    const container = this.#containers.get(id);
    if (container === undefined) throw new ContainerError('no-such-container', `there is no container ${id}`);
    if (container.summary.state === 'running')
      throw new ContainerError('bad-spec', `${user} uses the root of ${id}, which runs`);
    return container;
  }
}

/** Where the kernel's file systems are mounted in a lent root, as paths in there. */
function kernelPlacesIn(root: RootMount, spec: ContainerSpec): readonly string[] {
  return spec.mounts.flatMap(({ kind, target }) =>
    kind === 'kernel' && target.startsWith(posix.join(root.target, '/'))
      ? [posix.join(root.path, target.slice(root.target.length))]
      : [],
  );
}

function basesOf(spec: ContainerSpec): readonly ContainerId[] {
  const mounted = spec.mounts.flatMap((mount) => (mount.kind === 'root' ? [mount.container] : []));
  return spec.root.kind === 'overlay' ? [spec.root.base, ...mounted] : mounted;
}

import type { Clock } from '../../core/clock.ts';
import type { ContainerBackend } from '../backend.ts';
import { ContainerError, type ContainerErrorCode } from '../errors.ts';
import type { ImageInfo, ImageStore } from '../image-store.ts';
import type { ContainerId, ContainerSpec, Isolation } from '../spec.ts';
import type { Container, ContainerSummary, RuntimeInfo, StepRuntime } from '../step-runtime.ts';
import { checkSpec } from '../validate-spec.ts';
import { behaviourOf, type FakeBehaviour } from './behaviour.ts';
import { FakeContainer, type Files } from './fake-container.ts';
import { FakeRoots } from './fake-roots.ts';

export interface FakeRuntimeOptions {
  readonly clock: Clock;
  /** Images by name: there, or the code with which `images.ensure` rejects. Others are missing. */
  readonly images: Readonly<Record<string, ImageInfo | ContainerErrorCode>>;
  /** What containers may ask for; left out: `plain`. */
  readonly isolations?: readonly Isolation[];
  /** Decides how a container behaves; left out: the spec's environment does (`behaviourOf`). */
  readonly behave?: (spec: ContainerSpec) => FakeBehaviour;
}

/**
 * A container engine in memory, for tests of what uses one. It keeps every spec and call, and what a
 * real engine would not stand (a second start, a wait before it, an image that was not ensured) throws
 * and is kept in `misuses`, so that a test sees it even when the error was caught.
 */
export class FakeRuntime implements StepRuntime {
  readonly backend = 'fake';
  /** All specs that were created, in order. */
  readonly created: ContainerSpec[] = [];
  /** All calls with the name of their container, in order: `create a`, `start a`, `copyOut /x a`. */
  readonly calls: string[] = [];
  readonly misuses: string[] = [];
  readonly #options: FakeRuntimeOptions;
  readonly #containers = new Map<ContainerId, FakeContainer>();
  readonly #ensured = new Set<string>();
  readonly #isolations: readonly Isolation[];

  readonly roots: FakeRoots;

  constructor(options: FakeRuntimeOptions) {
    this.#options = options;
    this.#isolations = options.isolations ?? ['plain'];
    this.roots = new FakeRoots(
      options.clock,
      (call) => this.calls.push(call),
      () => [...this.#containers.values()].map(({ spec }) => spec),
    );
  }

  /** Throws when something was used wrongly, or a container was not removed. */
  assertClean(): void {
    const left = this.#summaries.map(({ name }) => `container ${name} is left over`);
    const complaints = [...this.misuses, ...left];
    if (complaints.length > 0) throw new Error(complaints.join('; '));
  }

  async probe(signal: AbortSignal): Promise<RuntimeInfo> {
    signal.throwIfAborted();
    return {
      name: this.backend,
      version: '0',
      rootless: false,
      storageDriver: 'memory',
      cgroupVersion: 'v2',
      limitsEnforced: true,
      isolations: this.#isolations,
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
      const found = this.#options.images[image] ?? 'image-missing';
      if (typeof found === 'string') throw new ContainerError(found, `cannot get image ${image}`);
      this.#ensured.add(image);
      return found;
    },
  };

  /** What a back end is to those who use it. */
  get ports(): ContainerBackend {
    return { runtime: this, images: this.images, roots: this.roots };
  }

  async create(spec: ContainerSpec, signal: AbortSignal): Promise<Container> {
    signal.throwIfAborted();
    this.calls.push(`create ${spec.name}`);
    checkSpec(spec, this.#isolations);
    for (const { name } of this.#summaries) {
      if (name === spec.name) throw new ContainerError('bad-spec', `the name ${name} is in use`);
    }
    if (spec.root.kind === 'image' && !this.#ensured.has(spec.root.image)) {
      const complaint = `container ${spec.name} has image ${spec.root.image}, which was not ensured`;
      this.misuses.push(complaint);
      throw new ContainerError('image-missing', complaint);
    }
    this.roots.checkMounts(spec);
    const { below, layer } = this.#filesFor(spec);
    const { clock, behave = behaviourOf } = this.#options;
    const id = `fake-${this.created.length + 1}`;
    const container = new FakeContainer({
      id,
      spec,
      behaviour: behave(spec),
      layer,
      below,
      clock,
      createdMs: clock.now(),
      record: (call) => this.calls.push(call),
      misuse: (complaint) => {
        this.misuses.push(complaint);
        return new Error(complaint);
      },
      fill: (files) => this.roots.fill(spec, files),
      forget: () => this.#containers.delete(id),
    });
    this.created.push(spec);
    this.#containers.set(id, container);
    return container;
  }

  /** What is in its root when it is made: in the layer of its own, and below. */
  #filesFor({ name, root }: ContainerSpec): { readonly below: Files; readonly layer: Files } {
    switch (root.kind) {
      case 'image':
        return { below: {}, layer: {} };
      case 'layer': {
        const below = this.roots.filesOf(root.on);
        const { after } = root;
        return { below, layer: after === undefined ? {} : this.#idle(after, `container ${name}`).give() };
      }
      case 'visit':
        this.#idle(root.root.id, `container ${name}`);
        return { below: {}, layer: {} };
    }
  }

  async recover(spec: ContainerSpec, signal: AbortSignal): Promise<Container | null> {
    signal.throwIfAborted();
    this.calls.push(`recover ${spec.name}`);
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
    return this.#summaries.filter(({ owner }) => owner.workerId === workerId);
  }

  async remove(id: ContainerId): Promise<void> {
    this.roots.removeDraft(id);
    await this.#containers.get(id)?.[Symbol.asyncDispose]();
  }

  get #summaries(): readonly ContainerSummary[] {
    const containers = [...this.#containers.values()].map(({ summary }) => summary);
    return [...containers, ...this.roots.summaries];
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

import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { never } from '../../core/never.ts';
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
import type { ContainerSummary } from '../step-runtime.ts';
import type { Files } from './fake-container.ts';

interface FakeDraft {
  readonly spec: DraftSpec;
  readonly createdMs: number;
  files: Files;
  isGiven: boolean;
}

interface FakeRoot {
  readonly stored: StoredRoot;
  readonly files: Files;
}

/** What a draft on nothing has, for the kernel's views to be mounted on. */
const kernelPlaces = ['/proc', '/sys'];

/** Roots that exist in memory only; made by `FakeRuntime`. */
export class FakeRoots implements RootStore {
  /** All drafts that were made, in order. */
  readonly prepared: DraftSpec[] = [];
  readonly #clock: Clock;
  readonly #record: (call: string) => void;
  /** Of the containers that are there. */
  readonly #specs: () => readonly ContainerSpec[];
  readonly #drafts = new Map<ContainerId, FakeDraft>();
  readonly #kept = new Map<string, FakeRoot>();

  constructor(clock: Clock, record: (call: string) => void, specs: () => readonly ContainerSpec[]) {
    this.#clock = clock;
    this.#record = record;
    this.#specs = specs;
  }

  async prepare(spec: DraftSpec, signal: AbortSignal): Promise<Draft> {
    signal.throwIfAborted();
    this.#record(`prepare ${spec.name}`);
    if (this.#idOf(spec.name) !== null)
      throw new ContainerError('bad-spec', `the name ${spec.name} is in use`);
    const files = spec.parent === null ? {} : this.filesOf(spec.parent);
    this.prepared.push(spec);
    const id = `fake-draft-${this.prepared.length}`;
    this.#drafts.set(id, { spec, files, createdMs: this.#clock.now(), isGiven: false });
    return this.#toDraft(id, spec.name);
  }

  async recover({ name, owner }: DraftSpec, signal: AbortSignal): Promise<Draft | null> {
    signal.throwIfAborted();
    this.#record(`recover ${name}`);
    const id = this.#idOf(name);
    const found = id === null ? undefined : this.#drafts.get(id)?.spec.owner;
    if (id === null || found?.workerId !== owner.workerId || found.taskId !== owner.taskId) return null;
    return this.#toDraft(id, name);
  }

  async commit({ id }: DraftRoot, name: RootName, signal: AbortSignal): Promise<CommittedRoot> {
    signal.throwIfAborted();
    const root = keptRoot(name);
    this.#record(`commit ${root.id}`);
    const draft = this.#draft(id);
    if (draft.isGiven) throw new ContainerError('no-such-container', `draft ${draft.spec.name} has no layer`);
    draft.isGiven = true;
    const { files } = draft;
    const committed = createHash('sha256').update(`${id} ${root.id}`).digest('hex');
    const stored = { id: committed, name, root, createdMs: this.#clock.now() };
    this.#kept.set(root.id, { stored, files });
    draft.files = {};
    return { id: committed, root, bytes: 1000 };
  }

  async find(name: RootName, signal: AbortSignal): Promise<FoundRoot | null> {
    signal.throwIfAborted();
    this.#record(`find ${keptRoot(name).id}`);
    return this.#kept.get(keptRoot(name).id)?.stored ?? null;
  }

  async list(signal: AbortSignal): Promise<readonly StoredRoot[]> {
    signal.throwIfAborted();
    return [...this.#kept.values()].map(({ stored }) => stored);
  }

  async remove(wanted: RootName | Pick<StoredRoot, 'id'>): Promise<boolean> {
    const all = await this.list(never);
    const found =
      'id' in wanted
        ? all.find(({ id }) => id === wanted.id)
        : all.find(({ root }) => root.id === keptRoot(wanted).id);
    this.#record(`removeRoot ${found?.root.id}`);
    if (found === undefined) return true;
    const { id } = found.root;
    if ([...this.#drafts.values()].some(({ spec }) => spec.parent?.id === id)) return false;
    if (this.#specs().some((spec) => keptRootsOf(spec).some((root) => root.id === id))) return false;
    this.#kept.delete(id);
    return true;
  }

  /** The drafts of all workers. */
  get summaries(): readonly ContainerSummary[] {
    return [...this.#drafts].map(([id, { spec, createdMs }]) => ({
      id,
      name: spec.name,
      owner: spec.owner,
      state: 'created',
      createdMs,
    }));
  }

  /** Removes a draft; nothing when there is none of this id. */
  removeDraft(id: ContainerId): void {
    const draft = this.#drafts.get(id);
    if (draft !== undefined) this.#record(`remove ${draft.spec.name}`);
    this.#drafts.delete(id);
  }

  /** What is in a root that a container is to have; rejects what no engine has. */
  filesOf(root: KeptRoot): Files {
    const found = this.#kept.get(root.id);
    if (found !== undefined) return found.files;
    throw new ContainerError('no-such-container', `root ${root.id} was removed while it was needed`);
  }

  /** Refuses mounts of roots that are not there, and of the kernel's views on places that they have not. */
  checkMounts(spec: ContainerSpec): void {
    for (const mount of spec.mounts) {
      if (mount.kind !== 'root') continue;
      if (mount.root.kind === 'draft') this.#draft(mount.root.id);
      else this.filesOf(mount.root);
      for (const { kind, target } of spec.mounts) {
        if (kind !== 'kernel' || !target.startsWith(posix.join(mount.target, '/'))) continue;
        const path = target.slice(mount.target.length);
        if (kernelPlaces.includes(path)) continue;
        const text = `container ${spec.name} mounts on ${path} of ${mount.root.id}, which has no such directory`;
        throw new ContainerError('bad-spec', text);
      }
    }
  }

  /** Puts files of a container that runs into the drafts that it fills, by the targets of its mounts. */
  fill(spec: ContainerSpec, files: Files): void {
    for (const mount of spec.mounts) {
      if (mount.kind !== 'root' || mount.access !== 'write') continue;
      const draft = this.#draft(mount.root.id);
      const own = Object.entries(files).flatMap(([path, content]) =>
        path.startsWith(`${mount.target}/`) ? [[path.slice(mount.target.length), content] as const] : [],
      );
      draft.files = { ...draft.files, ...Object.fromEntries(own) };
    }
  }

  #draft(id: ContainerId): FakeDraft {
    const draft = this.#drafts.get(id);
    if (draft === undefined) throw new ContainerError('no-such-container', `there is no draft ${id}`);
    return draft;
  }

  #idOf(name: string): ContainerId | null {
    return [...this.#drafts].find(([, { spec }]) => spec.name === name)?.[0] ?? null;
  }

  #toDraft(id: ContainerId, name: string): Draft {
    return {
      id,
      name,
      root: { kind: 'draft', id },
      [Symbol.asyncDispose]: async () => this.removeDraft(id),
    };
  }
}

function keptRoot({ key, area }: RootName): KeptRoot {
  return { kind: 'kept', id: `${area}:${key}` };
}

function keptRootsOf({ root, mounts }: ContainerSpec): readonly KeptRoot[] {
  const mounted = mounts.flatMap((mount) =>
    mount.kind === 'root' && mount.root.kind === 'kept' ? [mount.root] : [],
  );
  return root.kind === 'layer' ? [root.on, ...mounted] : mounted;
}

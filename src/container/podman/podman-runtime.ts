import { rm, writeFile } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { isShortOfRoom } from '../../core/disk-room.ts';
import type { Logger } from '../../core/logger.ts';
import type { TaskWaits } from '../../core/waits.ts';
import type { ContainerBackend } from '../backend.ts';
import { parseLabels, workerLabel } from '../labels.ts';
import type { ContainerId, ContainerSpec } from '../spec.ts';
import type { Container, ContainerSummary, RuntimeInfo, StepRuntime } from '../step-runtime.ts';
import { checkSpec } from '../validate-spec.ts';
import { askInfo, Engine, libpod } from './api/client.ts';
import { ListedContainers } from './api/schema.ts';
import { ContainerMaker, type MakeContext } from './container-maker.ts';
import {
  type HostDirectories,
  type MountRoot,
  type ResolvedMounts,
  resolveMounts,
} from './create/resolve-mounts.ts';
import { RootMounts } from './create/root-mounts.ts';
import type { SeccompChoice } from './create/seccomp.ts';
import { HostSecurity } from './create/security.ts';
import type { Ulimits } from './create/to-create-options.ts';
import { PodmanImages } from './image-store.ts';
import { Layers } from './layers.ts';
import { OomAccounting } from './limits/oom-accounting.ts';
import { PodmanContainer, type PodmanContainerParts } from './podman-container.ts';
import { onKeptRoot, PodmanRoots } from './root-store.ts';
import { podmanIsolations, toRuntimeInfo } from './runtime-info.ts';

/** How long the engine may take to say where its storage is. */
const roomMs = 10_000;

export interface PodmanRuntimeOptions {
  readonly socketPath: string;
  /** Directories on the engine's host, which is this host. They exist. */
  readonly places: HostDirectories;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where it is recorded which request has no answer yet. */
  readonly waits?: TaskWaits;
  /** How long an engine service that went away is waited for before a call rejects with `runtime-down`. */
  readonly reconnectMs: number;
  /** How long the engine may take for one request; pulls and copies excepted. */
  readonly timeoutMs: number;
  /** How long one pull of an image may take. */
  readonly pullMs: number;
  /** Where the seccomp profile is written that containers get; left out: they get podman's own. */
  readonly seccompPath?: string;
  /** What containers get unless their spec says otherwise; `nofile` and `nproc` are among them. */
  readonly ulimits: Ulimits & { readonly nofile: object; readonly nproc: object };
}

const stateOf: Readonly<Record<string, ContainerSummary['state']>> = {
  created: 'created',
  configured: 'created',
  running: 'running',
  stopped: 'exited',
  exited: 'exited',
};

/** Containers in podman, rootful or rootless, over the unix socket of its service. */
export class PodmanRuntime implements StepRuntime {
  readonly backend = 'podman';
  readonly images: PodmanImages;
  readonly roots: PodmanRoots;
  readonly #options: PodmanRuntimeOptions;
  readonly #engine: Engine;
  readonly #mounts: RootMounts;
  readonly #layers: Layers;
  readonly #maker: ContainerMaker;
  readonly #kills = new OomAccounting();
  readonly #security: HostSecurity;

  constructor(options: PodmanRuntimeOptions) {
    const { clock, logger, places, ulimits } = options;
    this.#options = options;
    const engine = new Engine(options);
    this.#engine = engine;
    this.#mounts = new RootMounts(engine, clock);
    this.#security = new HostSecurity(engine, options.seccompPath, logger);
    const { logDir } = places;
    const maker = new ContainerMaker({ engine, clock, logger, security: this.#security, logDir, ulimits });
    this.#maker = maker;
    this.images = new PodmanImages(engine, clock, options.pullMs);
    this.#layers = new Layers(engine, clock, this.#mounts, this.images);
    this.roots = new PodmanRoots({
      engine,
      clock,
      maker,
      images: this.images,
      mounts: this.#mounts,
      layers: this.#layers,
    });
  }

  /** What a back end is to those who use it. */
  get ports(): ContainerBackend {
    return { runtime: this, images: this.images, roots: this.roots };
  }

  async probe(signal: AbortSignal): Promise<RuntimeInfo> {
    const info = await askInfo(this.#engine, signal);
    this.#security.learn(info.host.security);
    return toRuntimeInfo(info);
  }

  async lacksRoom(directories: readonly string[]): Promise<boolean> {
    // An engine that does not answer has other troubles.
    const info = await this.probe(AbortSignal.timeout(roomMs)).catch(() => null);
    const storage = info?.storagePath ?? null;
    return isShortOfRoom(storage === null ? directories : [...directories, storage]);
  }

  /** What containers are filtered with. */
  async seccomp(signal: AbortSignal): Promise<SeccompChoice> {
    return this.#security.seccomp(signal);
  }

  async ping(signal: AbortSignal): Promise<void> {
    const path = `${libpod}/_ping`;
    await this.#engine.text({ what: 'reach podman', method: 'GET', path, ok: [200], signal });
  }

  async create(spec: ContainerSpec, signal: AbortSignal): Promise<Container> {
    signal.throwIfAborted();
    checkSpec(spec, podmanIsolations);
    await using held = new AsyncDisposableStack();
    const { lentBy, filled, ...context } = await this.#contextOf(spec, held, signal);
    const make = () => this.#maker.make(spec, { ...context, lentBy }, signal);
    const id = spec.root.kind === 'layer' ? await onKeptRoot(spec.root.on, make) : await make();
    const container = this.#toContainer(spec, id, { lentBy: filled, held: held.move(), wasStarted: false });
    try {
      signal.throwIfAborted();
      await this.#putAtHand(container, spec, signal);
      // Made here and not by conmon, so that it is ours to read, whatever user the engine runs as. Only now: the
      // name is ours since the engine took it, so a file of that name is an orphan.
      await writeFile(this.#maker.logPath(spec.name), '', { mode: 0o600 });
    } catch (error) {
      await container[Symbol.asyncDispose]();
      throw error;
    }
    return container;
  }

  async recover(spec: ContainerSpec, signal: AbortSignal): Promise<Container | null> {
    const logPath = this.#maker.logPath(spec.name);
    const found = await this.#maker.find(spec.name, spec.owner, signal);
    const lenders = await this.roots.lendersOf(spec, signal);
    if (found === null) {
      for (const lender of lenders) await lender[Symbol.asyncDispose]();
      // When another has removed it, its output is left.
      await rm(logPath, { force: true });
      return null;
    }
    // Its maker may have ended before it had made this.
    await writeFile(logPath, '', { mode: 0o600, flag: 'a' });
    const wasStarted = !['created', 'configured', 'initialized'].includes(found.State.Status);
    // What its maker had mounted stays so until the containers are removed, and for what is at hand, too.
    const held = new AsyncDisposableStack();
    for (const lender of lenders) held.use(lender);
    const container = this.#toContainer(spec, found.Id, { lentBy: draftsOf(spec), held, wasStarted });
    if (!wasStarted) await this.#putAtHand(container, spec, signal);
    return container;
  }

  /** What it needs to be made: roots are mounted until `held` is disposed. */
  async #contextOf(
    spec: ContainerSpec,
    held: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<MakeContext & Pick<ResolvedMounts, 'filled'>> {
    const own = await this.roots.rootFor(spec, held, signal);
    const lend: MountRoot = (mount, index) => this.roots.lend(mount.root, spec, index, held, signal);
    const { places } = this.#options;
    const { mounts, lentBy, ...more } = await resolveMounts(spec, places, this.#mounts, lend, signal);
    return {
      ...more,
      root: own.root,
      mounts: [...mounts, ...own.mounts],
      lentBy: [...lentBy, ...own.lentBy],
    };
  }

  #toContainer(
    spec: ContainerSpec,
    id: ContainerId,
    made: Pick<PodmanContainerParts, 'held' | 'lentBy' | 'wasStarted'>,
  ): PodmanContainer {
    const { socketPath, clock, logger } = this.#options;
    const { name, limits, owner } = spec;
    return new PodmanContainer({
      engine: this.#engine,
      roots: this.#mounts,
      kills: this.#kills,
      log: logger.child({ taskId: owner.taskId }),
      logPath: this.#maker.logPath(name),
      root: afterTheEnd[spec.root.kind],
      socketPath,
      clock,
      id,
      name,
      limits,
      ...made,
    });
  }

  /** Gives a container that has not started the layer that it continues in, and mounts a root that results are taken from. */
  async #putAtHand(container: PodmanContainer, { root }: ContainerSpec, signal: AbortSignal): Promise<void> {
    if (root.kind !== 'layer') return;
    if (root.after !== undefined) await this.#layers.pass(root.after, container.id, signal);
    container.hold(await this.#mounts.acquire(container.id, signal));
  }

  async list(workerId: string, signal: AbortSignal): Promise<readonly ContainerSummary[]> {
    const found = await this.#engine.call(ListedContainers, {
      what: `list the containers of ${workerId}`,
      method: 'GET',
      path: `${libpod}/containers/json`,
      query: { all: 'true', filters: JSON.stringify({ label: [`${workerLabel}=${workerId}`] }) },
      ok: [200],
      repeatable: true,
      signal,
    });
    return (found ?? []).flatMap(({ Id: id, Names: [name = id], Labels, State, Created: created }) => {
      const owner = parseLabels(Labels ?? {});
      if (owner === undefined) {
        this.#options.logger.warn(
          { id, name, labels: Labels },
          'container has the label of this worker but no task, leaving it alone',
        );
        return [];
      }
      return [{ id, name, owner, state: stateOf[State] ?? 'other', createdMs: Date.parse(created) }];
    });
  }

  async remove(id: ContainerId): Promise<void> {
    await this.#maker.remove(id);
  }
}

/** What becomes of the root of a container when it has ended. What is written to a layer is what a step is run for. */
const afterTheEnd = { image: 'stays', layer: 'at hand', visit: 'goes' } as const satisfies Record<
  ContainerSpec['root']['kind'],
  PodmanContainerParts['root']
>;

/** Drafts that a container fills. */
function draftsOf({ mounts }: ContainerSpec): readonly ContainerId[] {
  return mounts.flatMap((mount) =>
    mount.kind === 'root' && mount.access === 'write' ? [mount.root.id] : [],
  );
}

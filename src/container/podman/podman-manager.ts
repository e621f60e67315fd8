import { access, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { isShortOfRoom } from '../../core/disk-room.ts';
import { describeError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { TaskWaits } from '../../core/waits.ts';
import type { ContainerBackend } from '../backend.ts';
import { ContainerError } from '../errors.ts';
import { parseLabels, workerLabel } from '../labels.ts';
import type {
  BackendInfo,
  Container,
  ContainerManager,
  ContainerSummary,
  KeptImage,
  StoredImage,
} from '../manager.ts';
import type { ContainerId, ContainerSpec } from '../spec.ts';
import { checkSpec } from '../validate-spec.ts';
import { askInfo, Engine, libpod } from './api/client.ts';
import { inspectContainer } from './api/container-state.ts';
import { Created, ListedContainers } from './api/schema.ts';
import { type Places, resolveMounts } from './create/resolve-mounts.ts';
import { RootMounts } from './create/root-mounts.ts';
import type { SeccompChoice } from './create/seccomp.ts';
import { HostSecurity } from './create/security.ts';
import { SelinuxLevels } from './create/selinux-levels.ts';
import { createHint } from './create/start-failure-hint.ts';
import { type CreateContext, toCreateOptions, type Ulimits } from './create/to-create-options.ts';
import { PodmanImages } from './image-store.ts';
import { Layers } from './layers.ts';
import { sizeOf } from './limits/disk-usage.ts';
import { KillLedger } from './limits/oom-accounting.ts';
import { PodmanContainer } from './podman-container.ts';
import { removeContainer } from './remove-container.ts';

/** How long the engine may take to say where its storage is. */
const roomMs = 10_000;

export interface PodmanManagerOptions {
  readonly socketPath: string;
  /** Directories on the engine's host, which is this host. They exist. */
  readonly places: Places;
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
export class PodmanManager implements ContainerManager {
  readonly backend = 'podman';
  readonly images: PodmanImages;
  readonly #options: PodmanManagerOptions;
  readonly #engine: Engine;
  readonly #roots: RootMounts;
  readonly #layers: Layers;
  readonly #kills = new KillLedger();
  readonly #levels: SelinuxLevels;
  readonly #security: HostSecurity;

  constructor(options: PodmanManagerOptions) {
    this.#options = options;
    this.#engine = new Engine(options);
    this.images = new PodmanImages(this.#engine, options.clock, options.pullMs);
    this.#roots = new RootMounts(this.#engine, options.clock);
    this.#levels = new SelinuxLevels(this.#engine);
    this.#security = new HostSecurity(this.#engine, options.seccompPath, options.logger);
    this.#layers = new Layers(this.#engine, options.clock, this.#roots, this.images);
  }

  /** What a back end is to those who use it. */
  get ports(): ContainerBackend {
    return { containers: this, images: this.images };
  }

  async probe(signal: AbortSignal): Promise<BackendInfo> {
    const { host, store, version } = await askInfo(this.#engine, signal);
    this.#security.learn(host.security);
    const { rootless } = host.security;
    const controllers = host.cgroupControllers ?? [];
    const missing = ['memory', 'pids', 'cpu'].filter((name) => !controllers.includes(name));
    const limitsEnforced =
      !(rootless && host.cgroupVersion === 'v1') &&
      ['memory', 'pids'].every((name) => controllers.includes(name));
    return {
      name: 'podman',
      version: version.Version,
      rootless,
      storageDriver: store.graphDriverName,
      cgroupVersion: host.cgroupVersion,
      limitsEnforced,
      storagePath: await existingPath(store.graphRoot),
      details: {
        runtime: host.ociRuntime?.name ?? null,
        fuse: 'overlay.mount_program' in (store.graphOptions ?? {}),
        storageOn: {
          fileSystem: store.graphStatus?.['Backing Filesystem'] ?? null,
          hasFileTypes: toTruth(store.graphStatus?.['Supports d_type']),
        },
        missingControllers: missing,
        runPath: await existingPath(store.runRoot),
        freeLocks: host.freeLocks ?? null,
      },
    };
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
    checkSpec(spec);
    const { places, clock, ulimits } = this.#options;
    const logPath = join(places.logDir, `${spec.name}.log`);
    await using held = new AsyncDisposableStack();
    const seccomp = await this.seccomp(signal);
    const root = await this.#root(spec, held, signal);
    const mounts = await resolveMounts(spec, places, this.#roots, held, signal);
    const context = {
      root,
      ...mounts,
      logPath,
      defaultUlimits: ulimits,
      ...(seccomp.kind === 'extended'
        ? { seccompProfile: spec.userNamespaces === true ? seccomp.openPath : seccomp.path }
        : {}),
    };
    const id = (await this.#security.hasSelinux(signal))
      ? await this.#levels.withLevel(
          spec,
          (selinuxLevel) => this.#create(spec, { ...context, selinuxLevel }),
          (made) => this.remove(made),
          signal,
        )
      : await this.#create(spec, context);
    const container = new PodmanContainer({
      engine: this.#engine,
      roots: this.#roots,
      kills: this.#kills,
      socketPath: this.#options.socketPath,
      clock,
      id,
      logPath,
      held: held.move(),
      wasStarted: false,
      ...this.#partsOf(spec),
    });
    try {
      signal.throwIfAborted();
      await this.#takeLayer(spec, id, signal);
      if (hasRootAtHand(spec)) container.hold(await this.#roots.acquire(id, signal));
      // Made here and not by conmon, so that it is ours to read, whatever user the engine runs as. Only now: the
      // name is ours since the engine took it, so a file of that name is an orphan.
      await writeFile(logPath, '', { mode: 0o600 });
    } catch (error) {
      await container[Symbol.asyncDispose]();
      throw error;
    }
    return container;
  }

  async adopt(spec: ContainerSpec, signal: AbortSignal): Promise<Container | null> {
    const { places, clock } = this.#options;
    const logPath = join(places.logDir, `${spec.name}.log`);
    const found = await this.#find(spec, signal);
    if (found === null) {
      // When another has removed it, its output is left.
      await rm(logPath, { force: true });
      return null;
    }
    // Its maker may have ended before it had made this.
    await writeFile(logPath, '', { mode: 0o600, flag: 'a' });
    const wasStarted = !['created', 'configured', 'initialized'].includes(found.State.Status);
    const container = new PodmanContainer({
      engine: this.#engine,
      roots: this.#roots,
      kills: this.#kills,
      socketPath: this.#options.socketPath,
      clock,
      id: found.Id,
      logPath,
      wasStarted,
      // What its maker had mounted stays so until the containers are removed, and for what is at hand, too.
      held: new AsyncDisposableStack(),
      ...this.#partsOf(spec),
    });
    if (wasStarted) return container;
    await this.#takeLayer(spec, found.Id, signal);
    if (hasRootAtHand(spec)) container.hold(await this.#roots.acquire(found.Id, signal));
    return container;
  }

  async #takeLayer({ root }: ContainerSpec, id: ContainerId, signal: AbortSignal): Promise<void> {
    if (root.kind === 'image' && root.layerOf !== undefined)
      await this.#layers.pass(root.layerOf, id, signal);
  }

  async #find(spec: ContainerSpec, signal: AbortSignal) {
    try {
      const found = await inspectContainer(this.#engine, this.#options.clock, spec.name, signal);
      const owner = parseLabels(found.Config.Labels ?? {});
      const isOurs = owner?.workerId === spec.owner.workerId && owner.taskId === spec.owner.taskId;
      return isOurs ? found : null;
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'no-such-container') return null;
      throw error;
    }
  }

  /** What a container needs to know of its spec. */
  #partsOf(spec: ContainerSpec) {
    const { name, limits, owner } = spec;
    const lentBy = spec.mounts.flatMap((mount) =>
      mount.kind === 'root' && mount.access === 'write' ? [mount.container] : [],
    );
    const root = spec.root.kind === 'overlay' ? 'goes' : hasRootAtHand(spec) ? 'at hand' : 'stays';
    const log = this.#options.logger.child({ taskId: owner.taskId });
    return { name, limits, lentBy, root, log } as const;
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

  async layerBytes(id: ContainerId, signal: AbortSignal): Promise<number> {
    return sizeOf(this.#engine, id, signal);
  }

  async remove(id: ContainerId): Promise<void> {
    const name = await this.#nameOf(id);
    await removeContainer(this.#engine, id, this.#options.clock);
    if (name !== undefined) await rm(join(this.#options.places.logDir, `${name}.log`), { force: true });
  }

  async commit(
    container: ContainerId,
    image: string,
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<KeptImage> {
    return this.#layers.keep(container, image, labels, signal);
  }

  async storedImages(label: string, signal: AbortSignal): Promise<readonly StoredImage[]> {
    return this.images.list(label, signal);
  }

  async removeImage(image: string): Promise<boolean> {
    return this.images.remove(image);
  }

  async #root(
    spec: ContainerSpec,
    held: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<CreateContext['root']> {
    switch (spec.root.kind) {
      case 'image':
        return { image: spec.root.image };
      case 'empty':
        return { image: await this.images.ensureEmpty(spec.root.directories, signal) };
      case 'overlay':
        return { rootfs: held.use(await this.#roots.acquire(spec.root.base, signal)).path };
    }
  }

  /** Never aborted half-way: a container that the engine makes after its caller has left would be orphaned. */
  async #create(spec: ContainerSpec, context: CreateContext): Promise<ContainerId> {
    try {
      const created = await this.#engine.call(Created, {
        what: `create container ${spec.name}`,
        method: 'POST',
        path: `${libpod}/containers/create`,
        body: toCreateOptions(spec, context),
        ok: [201],
      });
      return created.Id;
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'runtime-down')
        await this.#removeUnanswered(spec);
      if (!(error instanceof ContainerError)) throw error;
      const hint = createHint(error.message);
      throw hint === '' ? error : new ContainerError(error.code, `${error.message}${hint}`, { cause: error });
    }
  }

  /** After a lost answer: the container may be there. One that has been started is another's. */
  async #removeUnanswered(spec: ContainerSpec): Promise<void> {
    try {
      const found = await inspectContainer(this.#engine, this.#options.clock, spec.name);
      const owner = parseLabels(found.Config.Labels ?? {});
      if (found.State.Status === 'created' && owner?.workerId === spec.owner.workerId)
        await this.remove(found.Id);
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'no-such-container') return;
      this.#options.logger.warn(
        { name: spec.name, err: describeError(error) },
        'cannot tell whether a container was created; the next start removes it',
      );
    }
  }

  async #nameOf(id: ContainerId): Promise<string | undefined> {
    try {
      return (await inspectContainer(this.#engine, this.#options.clock, id)).Name;
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'no-such-container') return undefined;
      throw error;
    }
  }
}

function hasRootAtHand({ results, root }: ContainerSpec): boolean {
  return results === true && root.kind !== 'overlay';
}

/** What podman says as a text; null when it says nothing. */
function toTruth(text: string | undefined): boolean | null {
  return text === undefined ? null : text === 'true';
}

/** The path if it is on this host and may be looked at. */
async function existingPath(path: string | null | undefined): Promise<string | null> {
  if (path === null || path === undefined) return null;
  try {
    await access(path);
    return path;
  } catch {
    return null;
  }
}

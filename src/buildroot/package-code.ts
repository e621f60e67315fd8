import type { Readable } from 'node:stream';
import { ContainerError } from '../container/errors.ts';
import type { Container } from '../container/manager.ts';
import type { ContainerId } from '../container/spec.ts';
import { codeContainer, diskContainer, keptContainer, shellContainer } from './containers.ts';
import { BuildrootStepFailed } from './errors.ts';
import { buildUser } from './mock-environment.ts';
import type { PreparedRoot } from './prepared-root.ts';
import type { RootGround, Verdict } from './root-ground.ts';

/** A step that runs a script with code of the package. */
export interface CodeStep {
  readonly title: string;
  /** Short name for containers and files: `source`, `build`. */
  readonly phase: string;
  /** The how manieth of its phase it is. */
  readonly attempt: number;
  readonly script: string;
  /** What does it again in a shell. */
  readonly repeat: string;
  readonly verdict: Verdict;
  /** Home and /tmp, where other steps have left something that this one needs. */
  readonly disk?: Container;
}

/** Runs code of a package, each time in a new layer on a prepared root, so that none sees what another left there. */
export class PackageCode {
  readonly #ground: RootGround;
  readonly #atRest: (root: PreparedRoot, signal: AbortSignal) => Promise<ContainerId>;
  /** Containers that hold nothing but home and temporary files. */
  readonly #disksOf = new Set<Container>();
  #disks = 0;
  #nextDisk: Promise<Container> | null = null;

  /** `atRest` gives a container that does not run and has that root. */
  constructor(ground: RootGround, atRest: (root: PreparedRoot, signal: AbortSignal) => Promise<ContainerId>) {
    this.#ground = ground;
    this.#atRest = atRest;
  }

  /** Begins to make what the next step needs besides a root that is no snapshot, while something else is waited for. */
  expectStep(root: PreparedRoot, signal: AbortSignal): void {
    if (root.layer.kind === 'snapshot') return;
    this.#nextDisk ??= this.#makeDisk(signal);
    // Whoever wants it hears of it.
    this.#nextDisk.catch(() => undefined);
  }

  /** Home and /tmp for steps that build on each other. */
  openDisk(signal: AbortSignal): Promise<Container> {
    const disk = this.#nextDisk ?? this.#makeDisk(signal);
    this.#nextDisk = null;
    return disk;
  }

  async #makeDisk(signal: AbortSignal): Promise<Container> {
    this.#disks += 1;
    const { host, request } = this.#ground;
    const disk = await this.#ground.create(diskContainer(host, request, this.#disks), signal);
    this.#disksOf.add(disk);
    return disk;
  }

  /** Throws `BuildrootStepFailed` for a status that the verdict does not allow. */
  async run(root: PreparedRoot, step: CodeStep, signal: AbortSignal): Promise<RanCode> {
    const { title, phase, attempt, script, verdict } = step;
    await this.#ground.write(`in/${phase}-${attempt}.sh`, script);
    const { container, disk } = await this.#containers(root, step, signal);
    try {
      const code = await this.#ground.runPackageCode(title, container, verdict, signal);
      return new RanCode(this.#ground, code, container, disk);
    } catch (error) {
      if (error instanceof BuildrootStepFailed) await this.#keep(root, disk, step.repeat, error);
      throw error;
    }
  }

  /** Leaves what a failed step has made to those who keep it for people, where it is kept at all. */
  async #keep(
    root: PreparedRoot,
    disk: Container,
    repeat: string,
    failure: BuildrootStepFailed,
  ): Promise<void> {
    const { host, request, logs } = this.#ground;
    const { failed } = host.cache;
    if (failed.lifetimeMs === 0) return;
    const { taskId, buildrootId } = request;
    this.#ground.release(disk);
    failed.keep({
      ...{ taskId, buildrootId, failure: failure.message, repeat, disk },
      root: !this.#disksOf.has(disk)
        ? { kind: 'disk' }
        : { kind: 'snapshot', key: root.key, make: (image) => keptContainer(host, request, image) },
      shell: (base) => shellContainer(host, request, { base, disk: disk.id }),
    });
    if (taskId !== 0) await logs.root.write(`${keptWords(taskId, host.hostname, failed.lifetimeMs)}\n`);
  }

  async #containers(
    root: PreparedRoot,
    { phase, attempt, disk: shared }: CodeStep,
    signal: AbortSignal,
  ): Promise<{ readonly container: Container; readonly disk: Container }> {
    const { host, request } = this.#ground;
    const step = { phase, attempt };
    if (root.layer.kind === 'snapshot' && shared === undefined) {
      const parts = { kind: 'image', image: root.layer.image } as const;
      const container = await this.#ground.create(codeContainer(host, request, step, parts), signal);
      return { container, disk: container };
    }
    const disk = shared ?? (await this.openDisk(signal));
    const parts = { kind: 'overlay', base: await this.#atRest(root, signal), disk: disk.id } as const;
    return { container: await this.#ground.create(codeContainer(host, request, step, parts), signal), disk };
  }
}

/** Where what a failed task has left can be looked at, and for how long. */
function keptWords(taskId: number, hostname: string, lifetimeMs: number): string {
  const hours = Math.round(lifetimeMs / 360_000) / 10;
  return `the buildroot is kept on ${hostname} for ${hours} h: koji-adjutant shell ${taskId}`;
}

/** A step that has ended, and what it has left, until it is let go. */
export class RanCode {
  readonly code: number;
  readonly #ground: RootGround;
  readonly #container: Container;
  readonly #disk: Container;

  constructor(ground: RootGround, code: number, container: Container, disk: Container) {
    this.#ground = ground;
    this.code = code;
    this.#container = container;
    this.#disk = disk;
  }

  /** A tar stream of a directory below `%_topdir`; null when it is gone. */
  async copyOut(place: 'RPMS' | 'SRPMS', signal: AbortSignal): Promise<Readable | null> {
    try {
      return await this.#disk.copyOut(`${buildUser.home}/build/${place}`, signal);
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'no-such-path') return null;
      throw error;
    }
  }

  /** Begins to remove its container, and its disk unless others need that. */
  letGo(disk: 'with its disk' | 'without its disk'): void {
    this.#ground.letGo(this.#container);
    if (disk === 'with its disk' && this.#disk !== this.#container) this.#ground.letGo(this.#disk);
  }
}

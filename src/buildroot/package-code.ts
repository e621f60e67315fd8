import { writeFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { ContainerError } from '../container/errors.ts';
import type { Container } from '../container/manager.ts';
import { codeContainer, diskContainer } from './containers.ts';
import { buildUser } from './mock-environment.ts';
import type { PreparedRoot } from './prepared-root.ts';
import type { RootGround, Verdict } from './root-ground.ts';

/** A step that has run a script with code of the package. */
export interface CodeStep {
  readonly title: string;
  /** Short name for containers and files: `source`, `build`. */
  readonly phase: string;
  readonly script: string;
  readonly verdict: Verdict;
}

/** Runs code of a package, each time in a new layer on a prepared root, so that none sees what another left. */
export class PackageCode {
  readonly #ground: RootGround;
  readonly #steps = new Map<string, number>();

  constructor(ground: RootGround) {
    this.#ground = ground;
  }

  /** Throws `BuildrootStepFailed` for a status that the verdict does not allow. */
  async run(root: PreparedRoot, step: CodeStep, signal: AbortSignal): Promise<RanCode> {
    const { title, phase, script, verdict } = step;
    const attempt = (this.#steps.get(phase) ?? 0) + 1;
    this.#steps.set(phase, attempt);
    await writeFile(this.#ground.path(`in/${phase}-${attempt}.sh`), script);
    const { container, disk } = await this.#containers(root, { phase, attempt }, signal);
    const code = await this.#ground.runPackageCode(title, container, verdict, signal);
    return new RanCode(this.#ground, code, container, disk);
  }

  async #containers(
    { layer }: PreparedRoot,
    step: { readonly phase: string; readonly attempt: number },
    signal: AbortSignal,
  ): Promise<{ readonly container: Container; readonly disk: Container }> {
    const { host, request } = this.#ground;
    if (layer.kind === 'snapshot') {
      const spec = codeContainer(host, request, step, { kind: 'image', image: layer.image });
      const container = await this.#ground.create(spec, signal);
      return { container, disk: container };
    }
    const disk = await this.#ground.create(diskContainer(host, request, step), signal);
    const parts = { kind: 'overlay', base: layer.container, disk: disk.id } as const;
    return { container: await this.#ground.create(codeContainer(host, request, step, parts), signal), disk };
  }
}

/** What a step has left, until it is let go. */
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

  /** Begins to remove its containers. */
  letGo(): void {
    this.#ground.letGo(this.#container);
    if (this.#disk !== this.#container) this.#ground.letGo(this.#disk);
  }
}

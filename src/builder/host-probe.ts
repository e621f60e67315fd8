import { statfs } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import type { ContainerManager } from '../container/manager.ts';
import { describeError } from '../core/errors.ts';
import type { HostState } from './admission.ts';

type Looked = Pick<HostState, 'freeBytes' | 'minSpaceBytes' | 'loadAverage' | 'processors' | 'engineProblem'>;

/** How long the engine may take to say that it is there. */
const engineTimeoutMs = 10_000;

/** Looks at the machine: disk, load, and whether the container engine answers. */
export class HostProbe {
  readonly #containers: Pick<ContainerManager, 'probe' | 'ping'>;
  readonly #workDir: string;
  readonly #minSpaceBytes: number;
  /** Where the engine keeps images and layers; unknown until it has been asked. */
  #storagePath: string | null | undefined;

  constructor(
    containers: Pick<ContainerManager, 'probe' | 'ping'>,
    workDir: string,
    minSpaceBytes: number,
  ) {
    this.#containers = containers;
    this.#workDir = workDir;
    this.#minSpaceBytes = minSpaceBytes;
  }

  async look(signal: AbortSignal): Promise<Looked> {
    const places = [this.#workDir];
    let engineProblem: string | null = null;
    try {
      const inTime = AbortSignal.any([signal, AbortSignal.timeout(engineTimeoutMs)]);
      // What an engine says about itself costs it a good deal, and does not change while it is there.
      if (this.#storagePath === undefined)
        this.#storagePath = (await this.#containers.probe(inTime)).storagePath;
      else await this.#containers.ping(inTime);
    } catch (error) {
      signal.throwIfAborted();
      engineProblem = `the container engine does not answer: ${describeError(error)}`;
    }
    if (typeof this.#storagePath === 'string') places.push(this.#storagePath);
    const freeBytes = new Map<string, number>();
    for (const place of places) {
      const { bavail, bsize } = await statfs(place);
      freeBytes.set(place, bavail * bsize);
    }
    return {
      freeBytes,
      minSpaceBytes: this.#minSpaceBytes,
      loadAverage: loadavg()[0] ?? 0,
      processors: availableParallelism(),
      engineProblem,
    };
  }
}

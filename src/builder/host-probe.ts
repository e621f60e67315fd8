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
  readonly #containers: Pick<ContainerManager, 'probe'>;
  readonly #workDir: string;
  readonly #minSpaceBytes: number;

  constructor(containers: Pick<ContainerManager, 'probe'>, workDir: string, minSpaceBytes: number) {
    this.#containers = containers;
    this.#workDir = workDir;
    this.#minSpaceBytes = minSpaceBytes;
  }

  async look(signal: AbortSignal): Promise<Looked> {
    const places = [this.#workDir];
    let engineProblem: string | null = null;
    try {
      const info = await this.#containers.probe(
        AbortSignal.any([signal, AbortSignal.timeout(engineTimeoutMs)]),
      );
      if (info.storagePath !== null) places.push(info.storagePath);
    } catch (error) {
      signal.throwIfAborted();
      engineProblem = `the container engine does not answer: ${describeError(error)}`;
    }
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

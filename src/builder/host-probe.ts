import { access, constants, open, rm, statfs } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import type { BackendInfo, ContainerManager } from '../container/manager.ts';
import type { Clock } from '../core/clock.ts';
import { isReadOnlyDisk } from '../core/disk-full.ts';
import { describeError } from '../core/errors.ts';
import type { HostState } from './admission.ts';

type Looked = Pick<
  HostState,
  'freeBytes' | 'minSpaceBytes' | 'readOnly' | 'loadAverage' | 'processors' | 'engineProblem'
>;

/** How long the engine may take to say that it is there. */
const engineTimeoutMs = 10_000;

/** How long an answer of the engine counts: to give it, podman starts programs, for a third of a second. */
const engineAnswerCountsMs = 15_000;

/** Looks at the machine: disk, load, and whether the container engine answers. */
export class HostProbe {
  readonly #containers: Pick<ContainerManager, 'probe'>;
  readonly #workDir: string;
  readonly #minSpaceBytes: number;
  readonly #clock: Clock;
  #answer: { readonly atMs: number; readonly info: BackendInfo } | null = null;

  constructor(
    containers: Pick<ContainerManager, 'probe'>,
    workDir: string,
    minSpaceBytes: number,
    clock: Clock,
  ) {
    this.#containers = containers;
    this.#clock = clock;
    this.#workDir = workDir;
    this.#minSpaceBytes = minSpaceBytes;
  }

  async look(signal: AbortSignal): Promise<Looked> {
    const places = [this.#workDir];
    let engineProblem: string | null = null;
    try {
      const { storagePath } = await this.#askEngine(signal);
      if (storagePath !== null) places.push(storagePath);
    } catch (error) {
      signal.throwIfAborted();
      engineProblem = `the container engine does not answer: ${describeError(error)}`;
    }
    const freeBytes = new Map<string, number>();
    const readOnly: string[] = [];
    for (const place of places) {
      const { bavail, bsize } = await statfs(place);
      freeBytes.set(place, bavail * bsize);
      if (await isReadOnly(place)) readOnly.push(place);
    }
    // A file system that is damaged need not say that it is read-only: it shows when something is written.
    if (readOnly[0] !== this.#workDir && (await refusesFiles(this.#workDir))) readOnly.unshift(this.#workDir);
    return {
      freeBytes,
      readOnly,
      minSpaceBytes: this.#minSpaceBytes,
      loadAverage: loadavg()[0] ?? 0,
      processors: availableParallelism(),
      engineProblem,
    };
  }

  async #askEngine(signal: AbortSignal): Promise<BackendInfo> {
    const atMs = this.#clock.uptime();
    if (this.#answer === null || atMs - this.#answer.atMs >= engineAnswerCountsMs) {
      // No answer does not count: the engine is asked again the next time.
      this.#answer = null;
      const by = AbortSignal.any([signal, AbortSignal.timeout(engineTimeoutMs)]);
      this.#answer = { atMs, info: await this.#containers.probe(by) };
    }
    return this.#answer.info;
  }
}

/** A place that this process may not write to is another matter: the engine's storage belongs to the engine. */
async function isReadOnly(place: string): Promise<boolean> {
  try {
    await access(place, constants.W_OK);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EROFS';
  }
}

async function refusesFiles(place: string): Promise<boolean> {
  const path = join(place, '.probe');
  try {
    await (await open(path, 'w')).close();
    await rm(path, { force: true });
    return false;
  } catch (error) {
    return isReadOnlyDisk(error);
  }
}

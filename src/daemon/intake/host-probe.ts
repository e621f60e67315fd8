import { access, constants, open, rm, statfs } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import type { StepRuntime } from '../../container/step-runtime.ts';
import type { Clock } from '../../core/clock.ts';
import { untilAborted, withDeadline } from '../../core/deadline.ts';
import { describeError, hasErrorCode } from '../../core/errors.ts';
import { isReadOnlyDisk } from '../../core/fs-errors.ts';
import type { HostState } from './readiness.ts';

type Looked = Pick<
  HostState,
  'freeBytes' | 'minSpaceBytes' | 'readOnly' | 'loadAverage' | 'processors' | 'engineProblem'
>;

/** How long the engine may take to say that it is there, and how long a look waits for what it says about itself. */
const engineTimeoutMs = 10_000;

/** How long that may take: podman starts programs for it, on a busy host for many seconds. */
const storageTimeoutMs = 120_000;

/** After this time the engine is asked again where its storage is. */
const storageCountsMs = 15 * 60_000;

type Asked = Pick<StepRuntime, 'ping' | 'probe'>;

/** Looks at the machine: disk, load, and whether the container engine answers. */
export class HostProbe {
  readonly #runtime: Asked;
  readonly #workDir: string;
  readonly #minSpaceBytes: number;
  readonly #clock: Clock;
  /** Where the engine has its storage, as it has said last. */
  #storage: { readonly atMs: number; readonly path: string | null } | null = null;
  #asking: Promise<void> | null = null;

  constructor(runtime: Asked, workDir: string, minSpaceBytes: number, clock: Clock) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#workDir = workDir;
    this.#minSpaceBytes = minSpaceBytes;
  }

  async look(signal: AbortSignal): Promise<Looked> {
    const places = [this.#workDir];
    const engineProblem = await this.#problemOfEngine(signal);
    if (this.#storage !== null && this.#storage.path !== null) places.push(this.#storage.path);
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

  async #problemOfEngine(signal: AbortSignal): Promise<string | null> {
    try {
      await this.#runtime.ping(AbortSignal.any([signal, AbortSignal.timeout(engineTimeoutMs)]));
    } catch (error) {
      signal.throwIfAborted();
      // It may come back as another one.
      this.#storage = null;
      return `the container engine does not answer: ${describeError(error)}`;
    }
    const atMs = this.#clock.uptime();
    if (this.#storage !== null) {
      if (atMs - this.#storage.atMs >= storageCountsMs) this.#ask().catch(() => undefined);
      return null;
    }
    try {
      await withDeadline(this.#clock, engineTimeoutMs, 'its answer', (late) =>
        untilAborted(this.#ask(), AbortSignal.any([signal, late])),
      );
      return null;
    } catch (error) {
      signal.throwIfAborted();
      const isLate = hasErrorCode(error, 'timeout');
      const why = isLate ? 'not yet, it is busy' : describeError(error);
      return `the container engine does not report where its storage is: ${why}`;
    }
  }

  /** Asks the engine about its storage, unless it was asked and has not answered yet: looks come and go meanwhile. */
  #ask(): Promise<void> {
    const asked = async () => {
      const { storagePath } = await this.#runtime.probe(AbortSignal.timeout(storageTimeoutMs));
      this.#storage = { atMs: this.#clock.uptime(), path: storagePath };
    };
    this.#asking ??= asked().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
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

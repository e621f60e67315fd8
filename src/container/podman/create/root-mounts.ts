import { posix } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { ContainerError } from '../../errors.ts';
import type { ContainerId } from '../../spec.ts';
import { type Engine, libpod, lockedStoreMs } from '../api/client.ts';
import { inspectContainer, settledState } from '../api/container-state.ts';
import { PathStat } from '../api/schema.ts';
import { type MountedFile, statMounted } from './mounted-root.ts';

/** A root that stays mounted until this is disposed. */
export interface MountedRoot extends AsyncDisposable {
  /** Where the engine sees it; with a rootless engine only the engine does. */
  readonly path: string;
}

interface Mounting {
  readonly path: Promise<string>;
  users: number;
}

const longestChainOfLinks = 40;
/** How often a root may have been mounted by previous runs of the worker, none of which has unmounted it. */
const mostMounts = 20;

/** The bit of Go's `fs.ModeDir`. */
const goDirectory = 2 ** 31;

/** Root file systems of containers that are not running, mounted as long as they are in use. */
export class RootMounts {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #mounted = new Map<ContainerId, Mounting>();

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** Mounts the root of a container, or shares the mount there is. Rejects with `bad-spec` when the container runs. */
  async acquire(container: ContainerId, signal: AbortSignal): Promise<MountedRoot> {
    await this.#refuseRunning(container, signal);
    const mounting = this.#mounted.get(container) ?? { path: this.#mount(container), users: 0 };
    this.#mounted.set(container, mounting);
    mounting.users += 1;
    let released = false;
    const release = async (): Promise<void> => {
      if (released) return;
      released = true;
      mounting.users -= 1;
      if (mounting.users > 0 || this.#mounted.get(container) !== mounting) return;
      this.#mounted.delete(container);
      await this.#unmount(container);
    };
    try {
      return { path: await mounting.path, [Symbol.asyncDispose]: release };
    } catch (error) {
      mounting.users -= 1;
      if (mounting.users === 0) this.#mounted.delete(container);
      throw error;
    }
  }

  /**
   * Unmounts the root of a container for good, however often it is mounted: those who use it have ended. Rejects with
   * `bad-spec` when the container runs.
   */
  async retire(container: ContainerId, signal: AbortSignal): Promise<void> {
    await this.#refuseRunning(container, signal);
    this.#mounted.delete(container);
    for (let tries = 0; tries < mostMounts && (await this.#isMounted(container, signal)); tries += 1)
      await this.#unmount(container);
  }

  async #isMounted(container: ContainerId, signal: AbortSignal): Promise<boolean> {
    const { GraphDriver } = await inspectContainer(this.#engine, this.#clock, container, signal);
    return GraphDriver?.Data?.['MergedDir'] !== undefined;
  }

  /** Where the engine has mounted the root of a container, while it is in use; else null. */
  async mountPoint(container: ContainerId): Promise<string | null> {
    return (await this.#mounted.get(container)?.path) ?? null;
  }

  /**
   * The path below a mounted root, with links followed inside that root. The content is a package's:
   * handed to the engine as it is, a link in it would lead to a place on the host.
   */
  async resolve(container: ContainerId, path: string, signal: AbortSignal): Promise<string> {
    const mountPoint = await this.mountPoint(container);
    const plain = mountPoint === null ? null : await this.#statMounted(mountPoint, path, container);
    if (plain !== null) return posix.resolve('/', path);
    let pending = path.split('/').filter((part) => part !== '');
    let resolved = '/';
    let links = 0;
    for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
      const next = posix.join(resolved, part);
      const target = await this.#target(container, next, signal);
      if (target === next) {
        resolved = next;
        continue;
      }
      links += 1;
      if (links > longestChainOfLinks) {
        throw new ContainerError(
          'bad-spec',
          `${path} in the root of container ${container} has too many links`,
        );
      }
      pending = [...target.split('/').filter((piece) => piece !== ''), ...pending];
      resolved = '/';
    }
    return resolved;
  }

  /** As `statMounted`; what is not there makes a spec a bad one. */
  async #statMounted(mountPoint: string, path: string, container: ContainerId): Promise<MountedFile | null> {
    try {
      return await statMounted(mountPoint, path);
    } catch (error) {
      if (!(error instanceof ContainerError) || error.code !== 'no-such-path') throw error;
      throw new ContainerError('bad-spec', `the root of container ${container} has no ${path} to lend`, {
        cause: error,
      });
    }
  }

  /** Rejects with `bad-spec` unless there is a directory at `path` of a mounted root, and no link on the way to it. */
  async requireDirectory(container: ContainerId, path: string, signal: AbortSignal): Promise<void> {
    const mountPoint = await this.mountPoint(container);
    const found = mountPoint === null ? null : await this.#statMounted(mountPoint, path, container);
    if (found === null ? await this.#isDirectory(container, path, signal) : found.stats.isDirectory()) return;
    throw new ContainerError(
      'bad-spec',
      `${path} in the root of container ${container} has to be a directory, for the kernel's file system to be mounted on`,
    );
  }

  async #isDirectory(container: ContainerId, path: string, signal: AbortSignal): Promise<boolean> {
    const { linkTarget, mode } = await this.#stat(container, path, signal);
    return posix.resolve('/', linkTarget) === path && Math.floor(mode / goDirectory) % 2 === 1;
  }

  async #target(container: ContainerId, path: string, signal: AbortSignal): Promise<string> {
    return posix.resolve('/', (await this.#stat(container, path, signal)).linkTarget);
  }

  async #stat(container: ContainerId, path: string, signal: AbortSignal): Promise<PathStat> {
    const headers = await this.#engine.head({
      what: `look for ${path} in the root of container ${container}`,
      method: 'HEAD',
      path: `${libpod}/containers/${container}/archive`,
      query: { path },
      ok: [200],
      notFound: 'bad-spec',
      repeatable: true,
      signal,
    });
    const header = headers['x-docker-container-path-stat'];
    const json = Buffer.from(typeof header === 'string' ? header : '', 'base64').toString('utf8');
    return PathStat.parse(JSON.parse(json));
  }

  async #refuseRunning(container: ContainerId, signal: AbortSignal): Promise<void> {
    const { Status } = await settledState(this.#engine, this.#clock, container, signal);
    if (!['created', 'stopped', 'exited'].includes(Status)) {
      throw new ContainerError(
        'bad-spec',
        `cannot use the root of container ${container}: it is ${Status}; wait for its end first`,
      );
    }
  }

  // Neither takes a caller's signal: others may share the mount, and a half made one could not be undone.
  async #mount(container: ContainerId): Promise<string> {
    const answer = await this.#engine.text({
      what: `mount the root of container ${container}`,
      method: 'POST',
      path: `${libpod}/containers/${container}/mount`,
      ok: [200],
      timeoutMs: lockedStoreMs,
    });
    return answer.trim().replace(/^"(.*)"$/, '$1');
  }

  async #unmount(container: ContainerId): Promise<void> {
    try {
      await this.#engine.text({
        what: `unmount the root of container ${container}`,
        method: 'POST',
        path: `${libpod}/containers/${container}/unmount`,
        ok: [200, 204],
        // Not asked a second time: each takes away one of the engine's count of users.
        timeoutMs: lockedStoreMs,
      });
    } catch (error) {
      // Gone with its container: nothing left to unmount.
      if (!(error instanceof ContainerError) || error.code !== 'no-such-container') throw error;
    }
  }
}

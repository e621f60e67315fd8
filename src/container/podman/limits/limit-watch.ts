import { stat } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { ContainerError } from '../../errors.ts';
import type { ContainerId, LimitHit, ResourceLimits } from '../../spec.ts';
import type { Engine } from '../api/client.ts';
import { inspectContainer } from '../api/container-state.ts';
import type { ContainerState } from '../api/schema.ts';
import { openLog } from '../output/log-file.ts';
import { CgroupLimits } from './cgroup-events.ts';
import { diskUse } from './disk-usage.ts';
import type { KillMark, OomAccounting } from './oom-accounting.ts';

/** Shorter than what podman needs to remove a cgroup after the last process, on a host that is not too busy. */
export const cgroupLookMs = 40;
const outputLookMs = 100;
/** Between two looks at the disk: ten times what one takes, within these bounds. */
const shortestDiskPauseMs = 500;
const longestDiskPauseMs = 3000;

export interface WatchedContainer {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly id: ContainerId;
  readonly logPath: string;
  readonly limits: ResourceLimits;
  readonly kills: OomAccounting;
  /** Containers whose roots are lent to it for writing. */
  readonly lentBy: readonly ContainerId[];
  readonly kill: () => Promise<void>;
}

/** Watches a running container's limits: kills it for those that podman does not know, and notes the others. */
export class LimitWatch {
  readonly #watched: WatchedContainer;
  #overrun: LimitHit | undefined;
  #cgroup: CgroupLimits | undefined;
  #mark: Promise<KillMark> | undefined;

  constructor(watched: WatchedContainer) {
    this.#watched = watched;
  }

  /** Has to be called before the container starts: what is killed from then on may be its. */
  async begin(): Promise<void> {
    this.#mark ??= this.#watched.kills.mark();
    await this.#mark;
  }

  /** Continues until the signal is aborted or the container was killed. Rejects when a limit cannot be watched. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#watchAll(signal);
    } catch (error) {
      if (!signal.aborted && (await this.#isRunning())) throw error;
    }
  }

  async #watchAll(signal: AbortSignal): Promise<void> {
    const { engine, clock, id, limits } = this.#watched;
    const { State } = await inspectContainer(engine, clock, id, signal);
    const enough = new AbortController();
    const until = AbortSignal.any([signal, enough.signal]);
    const pid = State.Pid ?? 0;
    const watches = [
      this.#watchCgroup(ownCgroup(State, id), until),
      limits.logBytes === undefined && limits.idleMs === undefined ? null : this.#watchOutput(until),
      limits.diskBytes === undefined || pid === 0 ? null : this.#watchDisk(pid, limits.diskBytes, until),
    ].filter((watch) => watch !== null);
    try {
      await Promise.all(watches);
    } finally {
      enough.abort();
      await Promise.allSettled(watches);
    }
  }

  /** What the container has run into, once it has ended in this way and `run` is over. */
  async hit(exitCode: number, oomKilled: boolean): Promise<LimitHit | undefined> {
    this.#overrun ??= await this.#tooMuchOutput();
    if (this.#overrun !== undefined) return this.#overrun;
    // It may have ended before it was looked at.
    if (this.#cgroup === undefined && this.#mark !== undefined) await this.#watchCgroup(null, over);
    return this.#cgroup?.hit(exitCode, oomKilled);
  }

  /** `path` as podman names it; null for a container that has ended. */
  async #watchCgroup(path: string | null, signal: AbortSignal): Promise<void> {
    const { limits, kills, clock } = this.#watched;
    const mark = await (this.#mark ?? kills.mark());
    await using cgroup = await CgroupLimits.open(path, limits, kills, mark);
    this.#cgroup = cgroup;
    try {
      while (await cgroup.look()) await clock.sleep(cgroupLookMs, signal);
    } finally {
      await cgroup.end();
    }
  }

  async #watchOutput(signal: AbortSignal): Promise<void> {
    const { clock, logPath, limits } = this.#watched;
    const { logBytes = Number.POSITIVE_INFINITY, idleMs = Number.POSITIVE_INFINITY } = limits;
    // Held open: conmon keeps writing to a log that is removed or rotated.
    await using file = await openLog(logPath);
    let size = 0;
    for (let since = clock.uptime(); ; await clock.sleep(outputLookMs, signal)) {
      const now = clock.uptime();
      const grown = await file.stat();
      if (grown.size > size) since = now;
      size = grown.size;
      if (size > logBytes) return await this.#stop({ limit: 'log', allowed: logBytes, peak: size });
      if (now - since >= idleMs)
        return await this.#stop({ limit: 'idle', allowed: idleMs, peak: now - since });
    }
  }

  /** Of a container that was quicker than the watch. A log that is gone is not judged: its reader says so. */
  async #tooMuchOutput(): Promise<LimitHit | undefined> {
    const { logPath, limits } = this.#watched;
    if (limits.logBytes === undefined) return undefined;
    try {
      const { size } = await stat(logPath);
      return size > limits.logBytes ? { limit: 'log', allowed: limits.logBytes, peak: size } : undefined;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #watchDisk(pid: number, diskBytes: number, signal: AbortSignal): Promise<void> {
    const { engine, clock, id, lentBy } = this.#watched;
    const layers = [id, ...lentBy];
    for (;;) {
      const since = clock.uptime();
      const used = await diskUse(engine, { pid, layers }, signal);
      // The engine may not know yet.
      if (used === null) return;
      if (used > diskBytes) return this.#stop({ limit: 'disk', allowed: diskBytes, peak: used });
      const pauseMs = 10 * (clock.uptime() - since);
      await clock.sleep(Math.min(Math.max(pauseMs, shortestDiskPauseMs), longestDiskPauseMs), signal);
    }
  }

  /** What is looked at goes with the container, before its end is known here. */
  async #isRunning(): Promise<boolean> {
    const { engine, clock, id } = this.#watched;
    try {
      return (await inspectContainer(engine, clock, id)).State.Status === 'running';
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'no-such-container') return false;
      throw error;
    }
  }

  async #stop(overrun: LimitHit): Promise<void> {
    this.#overrun ??= overrun;
    await this.#watched.kill();
  }
}

const over = AbortSignal.abort();

/**
 * The cgroup of a container; null when it has ended. Where a rootless engine sets no limits, it names the one that it is
 * in itself, which tells nothing of the container.
 */
export function ownCgroup(
  { CgroupPath }: Pick<ContainerState, 'CgroupPath'>,
  id: ContainerId,
): string | null {
  return CgroupPath?.includes(id) === true ? CgroupPath : null;
}

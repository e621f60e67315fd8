import { access, type FileHandle, open } from 'node:fs/promises';
import { posix } from 'node:path';
import type { LimitHit, ResourceLimits } from '../../spec.ts';
import type { KillMark, KillWitness, OomAccounting } from './oom-accounting.ts';

const cgroups = '/sys/fs/cgroup';

/** The files of a container's cgroup that tell about its limits. */
interface CgroupFiles {
  readonly oomKills: FileHandle | null;
  readonly memoryPeak: FileHandle | null;
  readonly refusedForks: FileHandle | null;
}

/**
 * What the kernel notes when a container runs into its limits of memory and processes. The notes go with the cgroup, a
 * few hundredths of a second after the last process, so they have to be looked at again and again; what was killed after
 * the last look the ledger knows. Podman's own word for it (`OOMKilled`) is false for all but the main process, and on
 * cgroup v1 for that, too.
 */
export class CgroupLimits implements KillWitness, AsyncDisposable {
  readonly #files: CgroupFiles;
  readonly #limits: ResourceLimits;
  readonly #ledger: OomAccounting;
  readonly #joined: Disposable;
  #mark: KillMark;
  #oomKills = 0;
  #untoldKills = 0;
  #memoryPeak = 0;
  #refusedForks = 0;

  private constructor(files: CgroupFiles, limits: ResourceLimits, ledger: OomAccounting, mark: KillMark) {
    this.#files = files;
    this.#limits = limits;
    this.#ledger = ledger;
    this.#mark = mark;
    this.#joined = ledger.join(this);
  }

  /**
   * `path` as podman names it, below the mount of the hierarchy, or null when there is none any more; `mark` is older
   * than the container's first process.
   */
  static async open(
    path: string | null,
    limits: ResourceLimits,
    ledger: OomAccounting,
    mark: KillMark,
  ): Promise<CgroupLimits> {
    if (path === null) {
      const none = { oomKills: null, memoryPeak: null, refusedForks: null };
      return new CgroupLimits(none, limits, ledger, mark);
    }
    const unified = await openIfThere(`${cgroups}/cgroup.controllers`);
    await unified?.close();
    // Where crun makes a cgroup inside its own, the limits are those of the outer one.
    const own = posix.basename(path) === 'container' ? posix.dirname(path) : path;
    const [memory, pids] = unified === null ? ['/memory', '/pids'] : ['', ''];
    const file = (controller: string, name: string) => openIfThere(`${cgroups}${controller}${own}/${name}`);
    const files = {
      oomKills: await file(memory, unified === null ? 'memory.oom_control' : 'memory.events'),
      memoryPeak: await file(memory, unified === null ? 'memory.max_usage_in_bytes' : 'memory.peak'),
      refusedForks: await file(pids, 'pids.events'),
    };
    return new CgroupLimits(files, limits, ledger, mark);
  }

  /** Notes what the kernel says now. False when the cgroup is gone. */
  async look(): Promise<boolean> {
    if (Object.values(this.#files).every((file) => file === null)) return false;
    const mark = this.#limits.memoryBytes === undefined ? this.#mark : await this.#ledger.mark();
    try {
      await this.#countKills();
      this.#memoryPeak = Math.max(this.#memoryPeak, await numberOf(this.#files.memoryPeak, /^(\d+)$/m));
      this.#refusedForks = Math.max(
        this.#refusedForks,
        await numberOf(this.#files.refusedForks, /^max (\d+)$/m),
      );
    } catch (error) {
      if (error instanceof CgroupGone) return false;
      throw error;
    }
    this.#mark = mark;
    return true;
  }

  async tellKills(): Promise<void> {
    try {
      await this.#countKills();
    } catch (error) {
      if (!(error instanceof CgroupGone)) throw error;
    }
  }

  /** The last look; what was killed since the one before it is counted though the cgroup is gone. */
  async end(): Promise<void> {
    if (!(await this.look()) && this.#limits.memoryBytes !== undefined)
      this.#untoldKills = await this.#ledger.untold(this.#mark);
  }

  /** The limit that counted, by what was seen and by what the engine says. */
  hit(exitCode: number, oomKilled: boolean): LimitHit | undefined {
    const { memoryBytes, pids } = this.#limits;
    const peak = this.#memoryPeak;
    const isUntold = this.#untoldKills > 0 && exitCode !== 0;
    if (isUntold) this.#ledger.tell(this.#untoldKills);
    if (memoryBytes !== undefined && (this.#oomKills > 0 || oomKilled || isUntold))
      return { limit: 'memory', allowed: memoryBytes, peak: Math.max(peak, memoryBytes) };
    return this.#refusedForks > 0 ? { limit: 'pids', allowed: pids, peak: pids } : undefined;
  }

  /** May be called while another call is under way. */
  async #countKills(): Promise<void> {
    const kills = await numberOf(this.#files.oomKills, /^oom_kill (\d+)$/m);
    const more = kills - this.#oomKills;
    if (more <= 0) return;
    this.#oomKills = kills;
    this.#ledger.tell(more);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#joined[Symbol.dispose]();
    for (const file of Object.values(this.#files)) await file?.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    await access(path);
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EACCES'))
      return null;
    throw error;
  }
}

/** 0 for a file that this kernel does not have. Throws `CgroupGone` for one that is not there any more. */
async function numberOf(file: FileHandle | null, pattern: RegExp): Promise<number> {
  if (file === null) return 0;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    const [, digits = '0'] = pattern.exec(buffer.toString('latin1', 0, bytesRead)) ?? [];
    return Number(digits);
  } catch (error) {
    // Not there any more, or closed here.
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENODEV' || code === 'EBADF') throw new CgroupGone();
    throw error;
  }
}

class CgroupGone extends Error {}

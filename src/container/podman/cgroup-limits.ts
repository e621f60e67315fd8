import { access, type FileHandle, open } from 'node:fs/promises';
import { posix } from 'node:path';
import type { LimitHit, ResourceLimits } from '../spec.ts';

const cgroups = '/sys/fs/cgroup';

/** The files of a container's cgroup that tell about its limits. */
interface CgroupFiles {
  readonly oomKills: FileHandle | null;
  readonly memoryPeak: FileHandle | null;
  readonly refusedForks: FileHandle | null;
}

/**
 * What the kernel notes when a container runs into its limits of memory and processes. The notes go with the cgroup, a
 * few hundredths of a second after the last process, so they have to be looked at again and again: podman's own word for
 * it (`OOMKilled`) is false for all but the main process, and on cgroup v1 for that, too.
 */
export class CgroupLimits implements AsyncDisposable {
  readonly #files: CgroupFiles;
  readonly #limits: ResourceLimits;
  #oomKills = 0;
  #memoryPeak = 0;
  #refusedForks = 0;

  private constructor(files: CgroupFiles, limits: ResourceLimits) {
    this.#files = files;
    this.#limits = limits;
  }

  /** `path` as podman names it, below the mount of the hierarchy. What is not there (rootless on v1) tells nothing. */
  static async open(path: string, limits: ResourceLimits): Promise<CgroupLimits> {
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
    return new CgroupLimits(files, limits);
  }

  /** Notes what the kernel says now. False when the cgroup is gone. */
  async look(): Promise<boolean> {
    try {
      this.#oomKills = Math.max(this.#oomKills, await numberOf(this.#files.oomKills, /^oom_kill (\d+)$/m));
      this.#memoryPeak = Math.max(this.#memoryPeak, await numberOf(this.#files.memoryPeak, /^(\d+)$/m));
      this.#refusedForks = Math.max(
        this.#refusedForks,
        await numberOf(this.#files.refusedForks, /^max (\d+)$/m),
      );
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENODEV') return false;
      throw error;
    }
  }

  /** The limit that counted, by what was seen. A main process that was killed tells when the last look came too soon. */
  hit(exitCode: number): LimitHit | undefined {
    const { memoryBytes, pids } = this.#limits;
    const peak = this.#memoryPeak;
    if (memoryBytes !== undefined && (this.#oomKills > 0 || (exitCode === 137 && peak >= memoryBytes)))
      return { limit: 'memory', allowed: memoryBytes, peak: Math.max(peak, memoryBytes) };
    return this.#refusedForks > 0 ? { limit: 'pids', allowed: pids, peak: pids } : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
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

async function numberOf(file: FileHandle | null, pattern: RegExp): Promise<number> {
  if (file === null) return 0;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
  const [, digits = '0'] = pattern.exec(buffer.toString('latin1', 0, bytesRead)) ?? [];
  return Number(digits);
}

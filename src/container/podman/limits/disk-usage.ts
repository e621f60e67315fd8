import { execFile } from 'node:child_process';
import { opendir, readFile, stat } from 'node:fs/promises';
import type { ContainerId } from '../../spec.ts';
import { type Engine, libpod } from '../api/client.ts';
import { ContainerSize } from '../api/schema.ts';

/**
 * What a running container takes of the disk. Root sees the layers themselves and counts blocks, throw-away layers and
 * files that were deleted while they are open included, and each file with what it takes besides its content: inodes and
 * names are room, too. For any other user a rootless engine's files are out of reach, and the engine adds up the sizes of
 * the files in the named containers' layers: one with holes counts in full. Null when the process has ended.
 */
export async function diskUse(
  engine: Engine,
  running: { readonly pid: number; readonly layers: readonly ContainerId[] },
  signal: AbortSignal,
): Promise<number | null> {
  if (process.getuid?.() === 0) {
    const mountInfo = await mountInfoOf(running.pid);
    if (mountInfo === null) return null;
    const layers = parseWritableLayers(mountInfo);
    const [blocks, inodes, deleted] = await Promise.all([
      blocksOf(layers, signal),
      inodesOf(layers, signal),
      deletedBytes(await processesWith(running.pid), parseOverlayDevices(mountInfo)),
    ]);
    return blocks + inodes * inodeBytes + deleted;
  }
  const sizes = await Promise.all(running.layers.map((id) => sizeOf(engine, id, signal)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What reading a file of `/proc/<pid>` fails with when the process is gone, is going, or waits for its parent to look. */
const processGone: readonly unknown[] = ['ENOENT', 'ESRCH', 'EINVAL'];

/** Null when the process has ended. */
async function mountInfoOf(pid: number): Promise<string | null> {
  try {
    return await readFile(`/proc/${pid}/mountinfo`, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && processGone.includes(error.code)) return null;
    throw error;
  }
}

/** Reads `/proc/<pid>/mountinfo`; a mount of a part of an overlay names that overlay's layer, too. */
export function parseWritableLayers(mountInfo: string): readonly string[] {
  const layers = mountInfo.split('\n').flatMap((line) => {
    const [, options = ''] = / - overlay \S+ (\S+)$/.exec(line) ?? [];
    const [, path] = /(?:^|,)upperdir=([^,]+)/.exec(options) ?? [];
    return path === undefined ? [] : [unescaped(path)];
  });
  return [...new Set(layers)];
}

/** The kernel writes blanks and the like as `\040`. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_all, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/** Most files of a process that are looked at, and most of all: a container may open millions. */
const mostDescriptors = 200_000;

/**
 * Bytes of files on disks that no directory names any more and that processes of the container hold open: `du` does not
 * see them. Each is counted once, whichever processes have it.
 */
export async function deletedBytes(
  processes: readonly number[],
  devices: ReadonlySet<number>,
): Promise<number> {
  const seen = new Map<string, number>();
  let left = mostDescriptors;
  for (const pid of processes) {
    const directory = `/proc/${pid}/fd`;
    // It may have ended, and so may each of its files.
    const open = await opendir(directory).catch(() => null);
    if (open === null) continue;
    for await (const { name } of open) {
      left -= 1;
      if (left < 0) return sum(seen);
      const facts = await stat(`${directory}/${name}`).catch(() => null);
      if (facts === null || facts.nlink > 0 || !facts.isFile() || !devices.has(facts.dev)) continue;
      seen.set(`${facts.dev}:${facts.ino}`, facts.blocks * 512);
    }
  }
  return sum(seen);
}

function sum(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((total, size) => total + size, 0);
}

/** Numbers of the processes in the cgroup of this one, which none of them can leave. */
async function processesWith(pid: number): Promise<readonly number[]> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')).split('\n');
  const path = (wanted: RegExp) =>
    lines.map((line) => wanted.exec(line)?.[1]).find((found) => found !== undefined);
  const [unified, own] = [path(/^0::(.+)$/), path(/^\d+:pids:(.+)$/)];
  const directory = own === undefined ? `/sys/fs/cgroup${unified ?? ''}` : `/sys/fs/cgroup/pids${own}`;
  const text = await readFile(`${directory}/cgroup.procs`, 'utf8').catch(() => `${pid}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** Device numbers of the overlays in `/proc/<pid>/mountinfo`, as `stat` has them: by these their files are known. */
export function parseOverlayDevices(mountInfo: string): ReadonlySet<number> {
  const devices = mountInfo.split('\n').flatMap((line) => {
    const [, major, minor] = /^\d+ \d+ (\d+):(\d+) .* - overlay /.exec(line) ?? [];
    return major === undefined || minor === undefined ? [] : [toDevice(Number(major), Number(minor))];
  });
  return new Set(devices);
}

/** `makedev(3)` for numbers of 12 and 20 bits. */
function toDevice(major: number, minor: number): number {
  return (minor & 0xff) + (major & 0xfff) * 2 ** 8 + (minor >>> 8) * 2 ** 20;
}

/** What a file takes besides its content: its inode and its name, on the usual file systems. */
const inodeBytes = 1024;

/** Blocks in bytes. `du` complains about files that went away meanwhile, and counts on. */
export function blocksOf(directories: readonly string[], signal: AbortSignal): Promise<number> {
  return countBy('--block-size=1', directories, signal);
}

function inodesOf(directories: readonly string[], signal: AbortSignal): Promise<number> {
  return countBy('--inodes', directories, signal);
}

/** What `du` counts. */
async function countBy(what: string, directories: readonly string[], signal: AbortSignal): Promise<number> {
  if (directories.length === 0) return 0;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const args = ['--summarize', '--total', what, '--', ...directories];
  execFile('du', args, { signal, maxBuffer: 2 ** 26 }, (error, stdout) => {
    const [, total] = /^(\d+)\ttotal$/m.exec(stdout) ?? [];
    if (total !== undefined) resolve(Number(total));
    else reject(new Error(`du says nothing about ${directories.join(', ')}`, { cause: error }));
  });
  return promise;
}

/** Sizes of the files in a container's own layer, added up. */
export async function sizeOf(engine: Engine, id: ContainerId, signal: AbortSignal): Promise<number> {
  const { SizeRw } = await engine.call(ContainerSize, {
    what: `look how much container ${id} has written`,
    method: 'GET',
    path: `${libpod}/containers/${id}/json`,
    query: { size: 'true' },
    ok: [200],
    repeatable: true,
    signal,
  });
  return SizeRw ?? 0;
}

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { ContainerId } from '../../spec.ts';
import { type Engine, libpod } from '../api/client.ts';
import { ContainerSize } from '../api/schema.ts';

/**
 * What a running container takes of the disk. Root sees the layers themselves and counts blocks, throw-away layers
 * included. For anybody else a rootless engine's files are out of reach, and the engine adds up the sizes of the files in the
 * named containers' layers: one with holes counts in full. Null when the process has ended.
 */
export async function diskUse(
  engine: Engine,
  running: { readonly pid: number; readonly layers: readonly ContainerId[] },
  signal: AbortSignal,
): Promise<number | null> {
  if (process.getuid?.() === 0) {
    const layers = await writableLayers(running.pid);
    return layers === null ? null : blocksOf(layers, signal);
  }
  const sizes = await Promise.all(running.layers.map((id) => sizeOf(engine, id, signal)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What reading a file of `/proc/<pid>` fails with when the process is gone, is going, or waits for its parent to look. */
const processGone: readonly unknown[] = ['ENOENT', 'ESRCH', 'EINVAL'];

/** Directories in which the overlays that a process sees keep what is written to them; null when it has ended. */
async function writableLayers(pid: number): Promise<readonly string[] | null> {
  try {
    return parseWritableLayers(await readFile(`/proc/${pid}/mountinfo`, 'utf8'));
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

/** What `du` counts. It complains about files that went away meanwhile, and counts on. */
export async function blocksOf(directories: readonly string[], signal: AbortSignal): Promise<number> {
  if (directories.length === 0) return 0;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const args = ['--summarize', '--total', '--block-size=1', '--', ...directories];
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

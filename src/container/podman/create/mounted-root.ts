import { constants, type Dir, type Stats } from 'node:fs';
import { lstat, open, opendir, readlink } from 'node:fs/promises';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Header, type Pack, pack } from 'tar-stream';
import { ContainerError } from '../../errors.ts';

/** How many entries of a directory are looked at together: one after the other, most of the time is waiting. */
const lookedAtOnce = 64;

/**
 * What is at `path` in a root that is mounted at `mountPoint` and that is not being written to. Null where only the engine can
 * tell: nothing is mounted there for this process, as with a rootless engine, or a link is on the way, which leads to
 * another place from in here. Rejects with `no-such-path`.
 */
export async function statMounted(mountPoint: string, path: string): Promise<MountedFile | null> {
  if (!(await isMountPoint(mountPoint))) return null;
  let place = mountPoint;
  let stats = await lstat(place);
  for (const part of posix.resolve('/', path).split('/').slice(1)) {
    place = posix.join(place, part);
    stats = await statOf(place, path);
    if (stats.isSymbolicLink()) return null;
  }
  return { place, stats };
}

/** A file or directory of a mounted root, and where this process sees it. */
export interface MountedFile {
  readonly place: string;
  readonly stats: Stats;
}

/**
 * A tar stream of the file or directory at `path` in a mounted root: what the engine's archive call gives, without
 * the processes that it starts for each. Further names of a file are links to the first. Null and rejects as `statMounted`. No link is followed. What lies so deep that
 * the kernel takes no path to it is left out.
 */
export async function packMounted(
  mountPoint: string,
  path: string,
  signal: AbortSignal,
): Promise<Readable | null> {
  const found = await statMounted(mountPoint, path);
  if (found === null) return null;
  const tar = pack();
  // Whoever reads what is made of it hears of it there; when he gives up, nobody listens here.
  tar.on('error', () => undefined);
  const name = posix.basename(posix.resolve('/', path)) || '.';
  const packing = { tar, signal, names: new Map<string, string>() };
  const top = { place: Buffer.from(found.place), name: Buffer.from(name), stats: found.stats, target: null };
  add(packing, top).then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  );
  return Readable.from(tar, { objectMode: false });
}

/** Whether another file system begins here than the parent directory is on: what is below is a container's. */
async function isMountPoint(path: string): Promise<boolean> {
  try {
    const [own, parent] = await Promise.all([lstat(path), lstat(posix.dirname(path))]);
    return own.isDirectory() && own.dev !== parent.dev;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'EACCES') return false;
    throw error;
  }
}

async function statOf(place: string, path: string): Promise<Stats> {
  try {
    return await lstat(place);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
    throw new ContainerError('no-such-path', `there is no ${path} in the container`, { cause: error });
  }
}

/** Paths are bytes: what a package calls its files need not be text. */
interface Found {
  readonly place: Buffer;
  /** Its name in the archive. */
  readonly name: Buffer;
  readonly stats: Stats;
  /** Where a symbolic link leads; null for anything else. */
  readonly target: string | null;
}

interface Packing {
  readonly tar: Pack;
  readonly signal: AbortSignal;
  /** The first name of each file that has several, by device and inode. */
  readonly names: Map<string, string>;
}

async function add(packing: Packing, { place, name, stats, target }: Found): Promise<void> {
  const { tar, signal, names: firstNames } = packing;
  signal.throwIfAborted();
  const type = typeOf(stats);
  if (type === null) return;
  const { mode, mtime, uid, gid } = stats;
  const header = { name: name.toString(), type, mode: mode & 0o7777, mtime, uid, gid };
  if (type === 'file') {
    const first = firstName(firstNames, stats, header.name);
    if (first !== null) {
      tar.entry({ ...header, type: 'link', linkname: first }, '');
      return;
    }
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    const entry = tar.entry({ ...header, size: stats.size });
    const file = await open(place, flags);
    await pipeline(file.createReadStream(), entry, { signal });
    return;
  }
  tar.entry(target === null ? header : { ...header, linkname: target }, '');
  if (type !== 'directory') return;
  for await (const names of batchesOf(
    await opendir(place, { encoding: 'latin1', bufferSize: lookedAtOnce }),
  )) {
    const below = names.map((each) => find(join(place, each), join(name, each)));
    for (const found of await Promise.all(below)) if (found !== null) await add(packing, found);
  }
}

/** The name under which the file was packed before; null when this is the first, which is remembered. */
function firstName(names: Map<string, string>, { nlink, dev, ino }: Stats, name: string): string | null {
  if (nlink < 2) return null;
  const file = `${dev}:${ino}`;
  const first = names.get(file);
  if (first === undefined) names.set(file, name);
  return first ?? null;
}

/** Names of a directory piece by piece: a package may have left millions. */
async function* batchesOf(directory: Dir): AsyncGenerator<readonly Buffer[], void> {
  let names: Buffer[] = [];
  for await (const { name } of directory) {
    names.push(Buffer.from(name, 'latin1'));
    if (names.length < lookedAtOnce) continue;
    yield names;
    names = [];
  }
  yield names;
}

async function find(place: Buffer, name: Buffer): Promise<Found | null> {
  try {
    const stats = await lstat(place);
    const target = stats.isSymbolicLink() ? (await readlink(place, 'buffer')).toString() : null;
    return { place, name, stats, target };
  } catch (error) {
    if (codeOf(error) === 'ENAMETOOLONG') return null;
    throw error;
  }
}

function join(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name]);
}

/** As tar has it; null for a socket, which it cannot hold. */
function typeOf(stats: Stats): Header['type'] | null {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isCharacterDevice()) return 'character-device';
  return stats.isBlockDevice() ? 'block-device' : null;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}

import { access, constants, readdir, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RuntimeInfo } from '../container/step-runtime.ts';
import { ancestors, whoElseOwns } from '../core/owners.ts';
import type { Finding } from './finding.ts';
import {
  judgeRunDirectory,
  judgeSpace,
  judgeStorageReach,
  judgeSubordinateIds,
  judgeTopDir,
  judgeWorkDir,
  type PathComponent,
} from './machine.ts';

/** tmpfs in `statfs(2)`. */
const tmpfsMagic = 0x0102_1994;

/** Looks at the daemon's directories and the space in them. */
export async function* checkPlaces(places: {
  readonly workDir: string;
  readonly topDir: string;
  readonly minSpaceBytes: number;
}): AsyncGenerator<Finding> {
  const { workDir, topDir, minSpaceBytes } = places;
  const existing = await nearestExisting(workDir);
  yield judgeWorkDir(workDir, {
    path: existing,
    writable: await isAccessible(existing, constants.W_OK | constants.X_OK),
    stranger: await whoElseOwns(existing),
  });
  yield judgeSpace('workdir', existing, await freeBytes(existing), minSpaceBytes);
  yield judgeTopDir(topDir, await isDirectory(topDir));
}

/** Looks at the engine's directories, where they are on this host, and at the ids it may use. */
export async function* checkEngineHost(
  info: RuntimeInfo,
  user: { readonly name: string; readonly uid: number },
  minSpaceBytes: number,
): AsyncGenerator<Finding> {
  const { storagePath, rootless, details } = info;
  if (storagePath !== null) {
    yield* judgeStorageReach(storagePath, await waysToLayers(join(storagePath, info.storageDriver)));
    yield judgeSpace('images and buildroots', storagePath, await freeBytes(storagePath), minSpaceBytes);
  }
  if (details.runPath !== null) {
    const { type, bavail, bsize } = await statfs(details.runPath);
    yield judgeRunDirectory(details.runPath, type === tmpfsMagic, bavail * bsize);
  }
  // A rootless engine that root talks to is another user's, and which one it does not say.
  if (!rootless || user.uid === 0) return;
  const files = { subuid: await textOf('/etc/subuid'), subgid: await textOf('/etc/subgid') };
  yield judgeSubordinateIds(user, files);
}

/** The directories from `/` to the files of each layer. What this process may not enter it cannot look at, so it is closed. */
export async function waysToLayers(driverPath: string): Promise<readonly (readonly PathComponent[])[]> {
  if (!(await isDirectory(driverPath))) return [];
  const layers = (await readdir(driverPath, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const ways = layers.map(async ({ name }) => {
    const files = join(driverPath, name, 'diff');
    if (!(await isAccessible(files, constants.F_OK))) return [];
    return Promise.all(ancestors(files).map(async (path) => ({ path, mode: (await stat(path)).mode })));
  });
  return (await Promise.all(ways)).filter((way) => way.length > 0);
}

export async function isDirectory(path: string): Promise<boolean> {
  return (await isAccessible(path, constants.R_OK | constants.X_OK)) && (await stat(path)).isDirectory();
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

async function nearestExisting(path: string): Promise<string> {
  let current = path;
  while (!(await isAccessible(current, constants.F_OK)) && dirname(current) !== current)
    current = dirname(current);
  return current;
}

async function isAccessible(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode);
    return true;
  } catch {
    // Whatever the reason is, the answer is no.
    return false;
  }
}

/** Empty when there is no such file: then no user has any ids. */
async function textOf(path: string): Promise<string> {
  return (await isAccessible(path, constants.R_OK)) ? readFile(path, 'utf8') : '';
}

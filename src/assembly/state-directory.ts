import { chmod, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { HostDirectories } from '../container/podman/create/resolve-mounts.ts';
import { BuilderError } from '../core/errors.ts';
import { isDiskFull, isReadOnlyDisk } from '../core/fs-errors.ts';
import { whoElseOwns } from '../core/owners.ts';

/** Where tasks keep their files: our own directory, since kojid's tasks lie in `workdir` itself. Containers write their logs beside. */
export function workPlaces({ kojid, adjutant }: Config): HostDirectories {
  const workDir = adjutant.state_dir;
  return { workDir, topDir: kojid.topdir, logDir: join(workDir, 'containers') };
}

/**
 * Makes the worker's own directory, or takes one that is there, and these below it, all of them for this user alone: journals
 * with sessions, generated scripts that run as root, and caches that everything is built from lie there. Throws
 * `workdir-unusable` where another user could replace one of the directories on the way.
 */
export async function openStateDirectory(directory: string, parts: readonly string[]): Promise<void> {
  const places = [directory, ...parts.map((part) => join(directory, part))];
  for (const place of places) {
    try {
      await mkdir(place, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw diskProblem(directory, `cannot make ${place}`, error);
    }
  }
  const stranger = await whoElseOwns(directory);
  if (stranger !== null) throw unusable(stranger);
  // One with a sticky bit is everybody's, and must not be closed to them.
  if (((await stat(directory)).mode & 0o002) !== 0) throw unusable(`every user may write to ${directory}`);
  try {
    for (const place of places) await chmod(place, 0o700);
  } catch (error) {
    throw diskProblem(directory, `cannot change the mode of ${directory}`, error);
  }
}

/**
 * Makes sure that something can be written to the worker's area. Without that a daemon would cost the tasks that a previous
 * run has begun; until there is room they continue without one. Throws a BuilderError that says what is the matter.
 */
export async function checkDisk(workDir: string): Promise<void> {
  const path = join(workDir, '.probe');
  try {
    await using file = await open(path, 'w');
    await file.write(Buffer.alloc(4096), 0);
    await rm(path, { force: true });
  } catch (error) {
    throw diskProblem(workDir, `cannot write to ${workDir}`, error);
  }
}

/** What an error means that a file operation in the worker's area has ended with: that its disk is full or read-only, or else `what`. */
export function diskProblem(workDir: string, what: string, cause: unknown): BuilderError {
  if (isDiskFull(cause))
    return new BuilderError(
      'disk-full',
      'builder',
      `no space left on device for ${workDir}: make room there`,
      {
        cause,
      },
    );
  if (isReadOnlyDisk(cause))
    return new BuilderError(
      'disk-read-only',
      'builder',
      `${workDir} is on a file system that is read-only; see what the kernel says about its disk`,
      { cause },
    );
  return unusable(what, cause);
}

function unusable(what: string, cause?: unknown): BuilderError {
  const remedy =
    'correct option "workdir" or "state_dir" (with rebuild: --cache-dir), and let no other user write there';
  return new BuilderError('workdir-unusable', 'builder', `${what}: ${remedy}`, { cause });
}

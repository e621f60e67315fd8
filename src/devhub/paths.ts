import { existsSync, lstatSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { basename, dirname, join, posix, relative } from 'node:path';
import { faultCodes } from '../core/koji-faults.ts';
import { generic, Refusal } from './faults.ts';

/** Where things lie below the hub's top directory (`koji.PathInfo`). */
export class HubPaths {
  readonly topdir: string;

  constructor(topdir: string) {
    this.topdir = topdir;
  }

  get work(): string {
    return join(this.topdir, 'work');
  }

  build(build: { name: string; version: string; release: string }): string {
    return join(this.topdir, 'packages', ...[build.name, build.version, build.release].map(withinDirectory));
  }

  repo(repoId: number | 'latest', tagName: string): string {
    return join(this.topdir, 'repos', withinDirectory(tagName), String(repoId));
  }

  taskOutput(taskId: number): string {
    return join(this.work, 'tasks', String(taskId % 10_000), String(taskId));
  }

  scratch(owner: string, taskId: number): string {
    return join(this.topdir, 'scratch', withinDirectory(owner), `task_${taskId}`);
  }

  /** A file below `work/` that a builder named; names that climb out of it blow up as they do in the hub's joinpath. */
  workFile(name: string): string {
    return join(this.work, withinDirectory(name));
  }
}

/** The directory of an rpm's file and its name, relative to its build's directory. */
export function rpmPath(rpm: { name: string; version: string; release: string; arch: string }): string {
  return `${rpm.arch}/${rpm.name}-${rpm.version}-${rpm.release}.${rpm.arch}.rpm`;
}

/** A relative path, normalized; one that leads out of its directory is a fault of code 1, as in the hub. */
export function withinDirectory(path: string): string {
  const normalized = posix.normalize(path);
  if (normalized === '..' || normalized.startsWith('../') || normalized.startsWith('/'))
    throw new Refusal(faultCodes.unhandled, `Invalid path segment: ${path}`);
  return normalized.length > 1 && normalized.endsWith('/') ? normalized.slice(0, -1) : normalized;
}

/** Moves a file to a place where nothing may be yet (`koji.util.safer_move`). */
export function moveFile(source: string, target: string): void {
  if (existsSync(target)) throw generic(`Destination exists: ${target}`);
  mkdirSync(dirname(target), { recursive: true });
  renameSync(source, target);
}

/** Moves a file and leaves a relative symlink where it was (`koji.util.move_and_symlink`). */
export function moveAndLink(source: string, target: string): void {
  moveFile(source, target);
  symlinkSync(relative(dirname(source), target), source);
}

/** Moves an uploaded file into a directory of its build; it must be a separate file, not the link of an earlier move. */
export function importFile(source: string, directory: string, what: string): void {
  const target = join(directory, basename(source));
  if (existsSync(target)) throw generic(`Error importing ${what}. ${target} already exists.`);
  if (!isRegularFile(source)) throw generic(`Error importing ${what}. ${source} is not a regular file.`);
  moveAndLink(source, target);
}

/** Whether a separate file is there, not a link to one. */
export function isRegularFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

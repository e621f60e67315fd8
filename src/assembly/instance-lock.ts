import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { BuilderError } from '../core/errors.ts';
import { isMissing } from '../core/fs-errors.ts';
import { diskProblem } from './state-directory.ts';

/** How `flock` says that another process has it. Its own errors have statuses from 64 on. */
const hasAnother = 9;
/** Longer than it takes to ask whether it is taken. */
const patienceSeconds = 2;

/**
 * Makes sure that one process at a time works in a worker's area. It is a lock of the kernel's on a file in there, where no other
 * user gets to; it goes with the process, however that ends.
 */
export class InstanceLock implements AsyncDisposable {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Takes the lock of an area, which is there. Throws BuilderError `area-in-use` when another process has it, and as `checkDisk`. */
  static async take(workDir: string): Promise<InstanceLock> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    const file = await open(fileIn(workDir), flags, 0o600).catch((error: unknown) => {
      throw diskProblem(workDir, `cannot open ${fileIn(workDir)}`, error);
    });
    if (await lock(file, '--exclusive', patienceSeconds)) return new InstanceLock(file);
    await file.close();
    throw new BuilderError(
      'area-in-use',
      'builder',
      `another koji-adjutant is running in ${workDir}: stop it, or give this one its own state_dir`,
    );
  }

  /** Whether a process works in an area. Only a look: another may begin to at any time. */
  static async isTaken(workDir: string): Promise<boolean> {
    try {
      await using file = await open(fileIn(workDir), constants.O_RDONLY | constants.O_NOFOLLOW);
      return !(await lock(file, '--shared', 0));
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function fileIn(workDir: string): string {
  return join(workDir, 'lock');
}

/**
 * Node has no call for it. A lock belongs to the open file, which the child gets from this process: it stays when the child ends,
 * and goes when this process closes the file.
 */
async function lock(file: FileHandle, kind: string, waitSeconds: number): Promise<boolean> {
  const args = [kind, '--timeout', String(waitSeconds), '--conflict-exit-code', String(hasAnother), '3'];
  const child = spawn('flock', args, { stdio: ['ignore', 'ignore', 'ignore', file.fd] });
  try {
    const [code]: readonly unknown[] = await once(child, 'exit');
    if (code === 0 || code === hasAnother) return code === 0;
    throw new BuilderError(
      'no-flock',
      'builder',
      `flock (util-linux) cannot lock a file: status ${String(code)}`,
    );
  } catch (error) {
    if (error instanceof BuilderError) throw error;
    throw new BuilderError('no-flock', 'builder', 'cannot run flock: install util-linux', { cause: error });
  }
}

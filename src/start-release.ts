import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Starts a process of its own that releases the tasks of this daemon, unless another start goes on with them before
 * `afterSeconds` are over. What it says is in `release.log` of the worker's area.
 */
export async function startRelease(workDir: string, afterSeconds: number): Promise<void> {
  await using log = await open(join(workDir, 'release.log'), 'a', 0o600);
  const [node, program = '', ...args] = process.argv;
  const child = spawn(
    node ?? process.execPath,
    [...process.execArgv, program, ...['release', '--after', String(afterSeconds), ...args]],
    { detached: true, stdio: ['ignore', log.fd, log.fd] },
  );
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.once('spawn', resolve).once('error', reject);
  await promise;
  child.unref();
}

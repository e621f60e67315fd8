import { spawn } from 'node:child_process';
import { ContainerError } from '../../errors.ts';
import type { ContainerId } from '../../spec.ts';

/**
 * Starts a container with this process's terminal, through podman's own command line: it knows raw terminals, changes of
 * their size and what to do when one is closed. Resolves with the exit code of the main process.
 */
export async function attach(socketPath: string, id: ContainerId, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  // Podman's own keys for leaving begin with one that shells have a use for; it takes none away.
  const keys = '--detach-keys=ctrl-^,ctrl-^,ctrl-^';
  const args = ['--url', `unix://${socketPath}`, 'start', '--attach', '--interactive', keys, id];
  const child = spawn('podman', args, { stdio: 'inherit' });
  const leave = () => child.kill('SIGTERM');
  signal.addEventListener('abort', leave, { once: true });
  child.on('error', (cause) =>
    reject(
      new ContainerError(
        'start-failed',
        `cannot run podman, which shows a container's terminal: ${cause.message}`,
        {
          cause,
        },
      ),
    ),
  );
  child.on('exit', (code) => (signal.aborted ? reject(signal.reason) : resolve(code ?? 1)));
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

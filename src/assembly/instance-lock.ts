import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { BuilderError } from '../core/errors.ts';

/**
 * Makes sure that one process at a time works in a worker's area. It is a socket in the kernel's abstract
 * namespace, which goes with the process however that ends, and leaves no file.
 */
export class InstanceLock implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Takes the lock of an area. Throws BuilderError `area-in-use` when another process has it. */
  static async take(workDir: string): Promise<InstanceLock> {
    const server = createServer((connection) => connection.destroy());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen(nameOf(workDir), resolve);
    try {
      await promise;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
      throw new BuilderError(
        'area-in-use',
        'builder',
        `another koji-adjutant is running in ${workDir}: stop it, or give this one its own state_dir`,
      );
    }
    // It must not keep a process that has nothing else to do.
    server.unref();
    return new InstanceLock(server);
  }

  /** Whether a process works in an area. Only a look: another may begin to at any time. */
  static async isTaken(workDir: string): Promise<boolean> {
    const connection = connect(nameOf(workDir));
    try {
      await once(connection, 'connect');
      return true;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED')) throw error;
      return false;
    } finally {
      connection.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function nameOf(workDir: string): string {
  return `\0koji-adjutant/${createHash('sha256').update(workDir).digest('hex').slice(0, 32)}`;
}

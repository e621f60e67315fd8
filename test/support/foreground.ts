import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A server in the foreground, from the line that says it is ready until the test has enough of it. */
export class Foreground implements AsyncDisposable {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Rejects with what it said when it ends before it has printed `ready`. */
  static async start(
    command: string,
    args: readonly string[],
    ready: RegExp,
    env: Readonly<Record<string, string | undefined>> = {},
  ): Promise<Foreground> {
    const child = spawn(command, args, {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said: string[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        if (ready.test(line)) resolve();
      });
    }
    child.on('error', reject);
    child.on('close', () => reject(new Error(`${command} has ended: ${said.join('\n')}`)));
    await promise;
    return new Foreground(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'close');
    this.#process.kill('SIGTERM');
    await ended;
  }
}

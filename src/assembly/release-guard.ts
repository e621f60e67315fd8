import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

/** A shell takes next to no memory while it waits, and sees the end of this process however that comes. */
const waiting =
  'read -r word; [ "$word" = dismissed ] && exit; sleep "$1"; log=$2; shift 2; exec "$@" >>"$log" 2>&1';

/** A restart is not to be slowed down by the start of a second program. */
const longestPauseSeconds = 10;

/**
 * A separate process that stays behind when the daemon ends, by a crash or `kill -9` too. When tasks have been left
 * to a next start and none has come before `afterSeconds` are over, it releases them. What it says is in `release.log`
 * of the worker's area.
 */
export class ReleaseGuard implements AsyncDisposable {
  readonly #workDir: string;
  readonly #stdin: Writable;

  private constructor(workDir: string, stdin: Writable) {
    this.#workDir = workDir;
    this.#stdin = stdin;
  }

  /** `release`: the command that does it, which is given `--after SECONDS` besides and waits for as long itself. */
  static async start(
    workDir: string,
    afterSeconds: number,
    release: (afterSeconds: number) => readonly string[] = releaseCommand,
  ): Promise<ReleaseGuard> {
    const log = join(workDir, 'release.log');
    // Not kept open: an open file would keep the disk from being unmounted for repair.
    await (await open(log, 'a', 0o600)).close();
    const pauseSeconds = Math.min(longestPauseSeconds, afterSeconds - 1);
    const command = [String(pauseSeconds), log, ...release(afterSeconds - pauseSeconds)];
    const child = spawn('/bin/sh', ['-c', waiting, 'koji-adjutant-guard', ...command], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    await once(child, 'spawn');
    child.unref();
    // Pipes of child processes are sockets, and it was given one.
    const stdin = child.stdin as Socket;
    stdin.unref();
    // A guard that was killed gets no message, and needs none.
    stdin.on('error', () => undefined);
    return new ReleaseGuard(workDir, stdin);
  }

  /** Dismisses the guard where no tasks are left to a next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    const journals = await readdir(join(this.#workDir, 'journal', 'tasks')).catch(() => []);
    if (journals.length > 0) return;
    await new Promise<void>((resolve) => this.#stdin.end('dismissed\n', () => resolve()));
  }
}

/** This program with its options, as `release`. */
function releaseCommand(afterSeconds: number): readonly string[] {
  const [node = process.execPath, program = '', ...args] = process.argv;
  return [node, ...process.execArgv, program, 'release', '--after', String(afterSeconds), ...args];
}

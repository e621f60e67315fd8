import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';

const LogRecord = z.object({ level: z.int(), msg: z.string(), why: z.string().optional() });
/** pino's number for warnings. */
const warnLevel = 40;

export interface DaemonOptions {
  /** Program and first arguments, such as the path of `bin/koji-adjutant`. */
  readonly command: readonly [string, ...string[]];
  /** Its kojid.conf. */
  readonly configPath: string;
  /** Where its log goes. */
  readonly logPath: string;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
}

/**
 * A builder daemon as its own process, in its own session: an interrupt from the keyboard reaches it only
 * through `stop`.
 */
export class DaemonProcess implements AsyncDisposable {
  readonly logPath: string;
  /** Resolves with the exit code, or the name of the signal, once the process has ended. Never rejects. */
  readonly ended: Promise<number | string>;
  readonly #clock: Clock;
  readonly #child: ChildProcess;

  constructor({ command: [program, ...args], configPath, logPath, env, clock }: DaemonOptions) {
    this.logPath = logPath;
    this.#clock = clock;
    const log = openSync(logPath, 'a');
    this.#child = spawn(program, [...args, '-c', configPath, '--fg', '--verbose'], {
      env,
      detached: true,
      stdio: ['ignore', log, log],
    });
    // Nothing else would stop it when this process ends before its time.
    const takeAlong = () => this.#child.kill();
    process.once('exit', takeAlong);
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('exit', (code, signal) => {
        process.off('exit', takeAlong);
        resolve(code ?? signal ?? 'unknown');
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Does something for which the daemon is needed: the signal it gets is aborted, too, when the daemon ends. */
  async whileRunning<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const gone = new AbortController();
    void this.ended.then((how) =>
      gone.abort(new Error(`the daemon has ended (${how}); the end of its log:\n${this.logEnd()}`)),
    );
    return await work(AbortSignal.any([signal, gone.signal]));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Asks the daemon to stop and waits until it has; one that does not is killed after `graceMs`. Repeatable. */
  async stop(graceMs = 60_000): Promise<number | string> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal('SIGTERM');
    const waited = new AbortController();
    void this.#clock.sleep(graceMs, waited.signal).then(
      () => this.signal('SIGKILL'),
      () => undefined,
    );
    try {
      return await this.ended;
    } finally {
      waited.abort();
    }
  }

  /** What it said last, if that was a warning or an error. */
  lastWarning(): string | null {
    const last = this.#logLines().at(-1) ?? '';
    const record = LogRecord.safeParse(last.startsWith('{') ? JSON.parse(last) : undefined);
    if (!record.success || record.data.level < warnLevel) return null;
    const { msg, why } = record.data;
    return why === undefined ? msg : `${msg}: ${why}`;
  }

  /** The last lines of its log, for a message. */
  logEnd(): string {
    return this.#logLines().slice(-5).join('\n');
  }

  #logLines(): readonly string[] {
    // A line without its end is still being written.
    return readFileSync(this.logPath, 'utf8').split('\n').slice(0, -1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

import { ConfigError, formatProblem } from '../config/problem.ts';
import type { Clock } from '../core/clock.ts';
import { BuilderError, describeError } from '../core/errors.ts';
import { printableLines } from '../core/printable.ts';

/** What a command works with besides the words of its command line. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv;
  readonly input: NodeJS.ReadStream;
  readonly out: NodeJS.WriteStream;
  readonly clock: Clock;
}

/**
 * A command, by the words behind its name. Resolves with the exit code. Throws `CommandLineError` for a wrong command
 * line, and whatever is a bug of ours.
 */
export type RunCommand = (argv: readonly string[], surroundings: CommandContext) => Promise<number>;

/** What commands end with; some add codes of their own. `config`: EX_CONFIG of `sysexits.h`. */
export const exitCode = { ok: 0, failed: 1, usage: 2, config: 78 } as const;

/** Says on standard error what is wrong, in the name of a command; gives the exit code back. */
export function complain(command: string, message: string, code: number): number {
  process.stderr.write(`koji-adjutant ${command}: ${printableLines(message)}\n`);
  return code;
}

/** What has to be changed in the configuration, a line for each. */
export function describeProblems({ problems }: ConfigError): string {
  return problems.map(formatProblem).join('\n');
}

/** What went wrong, in one line where it is no list; null for a bug of ours, which needs its stack. */
export function describeFailure(error: unknown): string | null {
  if (error instanceof ConfigError) return describeProblems(error);
  return error instanceof BuilderError ? describeError(error).replaceAll(/\s+/g, ' ') : null;
}

/** Told to stop or not, until it is disposed. */
export interface Stopping extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Aborts a signal with a `BuilderError` of this message when the process is told to stop. `again` is what becomes of a
 * signal that comes a second time: it ends the process as if nobody listened, or with this exit code, or is ignored.
 */
export function stopOnSignals(
  message: string,
  options: {
    readonly signals?: readonly NodeJS.Signals[];
    readonly again?: 'kills' | 'ignored' | number;
  } = {},
): Stopping {
  const { signals = ['SIGINT', 'SIGTERM'], again = 'kills' } = options;
  const leave = new AbortController();
  const stop = () => {
    if (leave.signal.aborted && typeof again === 'number') process.exit(again);
    leave.abort(new BuilderError('stopped', 'external', message));
  };
  for (const signal of signals) {
    if (again === 'kills') process.once(signal, stop);
    else process.on(signal, stop);
  }
  return {
    signal: leave.signal,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, stop);
    },
  };
}

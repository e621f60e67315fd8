import { once } from 'node:events';
import { Command, InvalidArgumentError } from 'commander';
import { parseWords } from '../config/command-line.ts';
import { describeError } from '../core/errors.ts';
import { runDevHub } from '../devhub/run.ts';
import { complain, exitCode, type RunCommand, stopOnSignals } from './command.ts';

/**
 * `koji-adjutant devhub`: runs a development hub until SIGTERM or SIGINT. Resolves with the exit code: 0, or 1
 * when it could not start. Throws `CommandLineError` for a wrong command line.
 */
export const run: RunCommand = async (argv, { out, clock }) => {
  const options = parse(argv);
  using stopping = stopOnSignals('interrupted');
  const ended = once(stopping.signal, 'abort');
  let hub: Awaited<ReturnType<typeof runDevHub>>;
  try {
    hub = await runDevHub({ ...options, clock });
  } catch (error) {
    return complain('devhub', `cannot start: ${describeError(error)}`, exitCode.failed);
  }
  out.write(`server = ${hub.url}\ntopurl = ${hub.filesUrl}\ntopdir = ${hub.topdir}\n`);
  await ended;
  await hub.close();
  return exitCode.ok;
};

function parse(argv: readonly string[]): { readonly dir: string; readonly port: number } {
  const command = new Command('koji-adjutant devhub')
    .description(
      'Runs a hub for development on the loopback address and prints the lines of kojid.conf that lead to it',
    )
    .requiredOption('--dir <DIR>', "directory of the hub's state and files; made when it is missing")
    .requiredOption('--port <PORT>', 'TCP port; 0 for any that is free', portNumber)
    .allowExcessArguments(false);
  return parseWords(command, argv, () => command.opts<{ dir: string; port: number }>());
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('Write a number from 0 to 65535.');
  return port;
}

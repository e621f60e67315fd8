import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CommandLineError } from '../config/command-line.ts';
import { systemClock } from '../core/clock.ts';
import { describeError } from '../core/errors.ts';
import { runDevHub } from '../devhub/run.ts';

/**
 * `koji-adjutant devhub`: runs a development hub until SIGTERM or SIGINT. Resolves with the exit code: 0, or 1
 * when it could not start. Throws `CommandLineError` for a wrong command line.
 */
export async function runDevHubCommand(
  argv: readonly string[],
  out: { write(text: string): unknown },
): Promise<number> {
  const options = parse(argv);
  const ended = new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve).once('SIGINT', resolve);
  });
  let hub: Awaited<ReturnType<typeof runDevHub>>;
  try {
    hub = await runDevHub({ ...options, clock: systemClock });
  } catch (error) {
    process.stderr.write(`koji-adjutant devhub: cannot start: ${describeError(error)}\n`);
    return 1;
  }
  out.write(`server = ${hub.url}\ntopurl = ${hub.filesUrl}\ntopdir = ${hub.topdir}\n`);
  await ended;
  await hub.close();
  return 0;
}

function parse(argv: readonly string[]): { readonly dir: string; readonly port: number } {
  const output: string[] = [];
  const command = new Command('koji-adjutant devhub')
    .description(
      'Runs a hub for development on the loopback address and prints the lines of kojid.conf that lead to it',
    )
    .requiredOption('--dir <DIR>', "directory of the hub's state and files; made when it is missing")
    .requiredOption('--port <PORT>', 'TCP port; 0 for any that is free', portNumber)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.push(text), writeErr: (text) => output.push(text) });
  try {
    command.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new CommandLineError(error.exitCode === 0 ? 0 : 2, output.join('').trimEnd());
  }
  return command.opts<{ dir: string; port: number }>();
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('Write a number from 0 to 65535.');
  return port;
}

import { checkConfig } from './config/check-config.ts';
import { CommandLineError, parseDaemonArguments } from './config/command-line.ts';
import { runDaemon } from './main.ts';

const [command, ...rest] = process.argv.slice(2);

/** Which program the first word names; everything else is kojid's command line. */
async function run(): Promise<number> {
  switch (command) {
    case 'check-config':
      return checkConfig(parseDaemonArguments(rest), process.env, process.stdout);
    default:
      return runDaemon(parseDaemonArguments(process.argv.slice(2)), process.env);
  }
}

try {
  // Sockets of an engine or a hub that no longer matter must not keep the process.
  process.exit(await run());
} catch (error) {
  if (!(error instanceof CommandLineError)) throw error;
  (error.exitCode === 0 ? process.stdout : process.stderr).write(`${error.message}\n`);
  process.exit(error.exitCode);
}

import { readFile } from 'node:fs/promises';
import { runCacheCommand } from './commands/cache.ts';
import { checkConfig } from './commands/check-config.ts';
import { runCompareCommand } from './commands/compare.ts';
import { runDaemon } from './commands/daemon.ts';
import { runDevHubCommand } from './commands/devhub.ts';
import { runDoctorCommand } from './commands/doctor.ts';
import { runRebuildCommand } from './commands/rebuild.ts';
import { runReleaseCommand } from './commands/release.ts';
import { runShellCommand } from './commands/shell.ts';
import { CommandLineError, parseDaemonArguments, parseDoctorArguments } from './config/command-line.ts';
import { BuilderError } from './core/errors.ts';
import { readHostTrust, trustAsHost } from './core/host-trust.ts';
import { printableLines } from './core/printable.ts';

const help = `Usage: koji-adjutant [options]             the daemon; takes kojid's options
       koji-adjutant COMMAND [options]

A Koji builder that runs every task in Podman containers.

Commands:
  check-config   print what is wrong with the configuration, or what differs from the defaults
  doctor         look at this host, its container engine and its hub, build a small package, and say what to do
  cache          show or trim what is kept for later builds: buildroots and packages
  compare        build again what another builder has built, and show what differs
  release        give back to the hub what a stopped daemon has left to its next start
  rebuild        build a source package here, without a hub, in the same buildroots
  shell          enter the buildroot of a failed task: koji-adjutant shell TASK
  devhub         run a development hub: koji-adjutant devhub --dir DIR --port PORT
  version        print the version
  help           print this; koji-adjutant --help lists the daemon's options

check-config and doctor take the daemon's options: koji-adjutant doctor -c /etc/kojid/kojid.conf
doctor --quick looks only, and builds nothing.

Exit codes: 0 all is well, 1 it failed, 2 the command line is wrong, 75 the daemon has drained and is to be
started again, 78 the configuration has to be changed.
`;

/** A command takes the words behind its name and resolves with the exit code. */
type Command = (argv: readonly string[]) => Promise<number> | number;

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  [
    'check-config',
    (argv) => {
      const name = 'koji-adjutant check-config';
      const description = 'Prints what is wrong with the configuration, or what differs from the defaults';
      return checkConfig(parseDaemonArguments(argv, { name, description }), process.env, process.stdout);
    },
  ],
  ['doctor', (argv) => runDoctorCommand(parseDoctorArguments(argv), process.env, process.stdout)],
  ['cache', (argv) => runCacheCommand(argv, process.env, process.stdout)],
  ['compare', (argv) => runCompareCommand(argv, process.env, process.stdout)],
  ['release', (argv) => runReleaseCommand(argv, process.env)],
  ['rebuild', (argv) => runRebuildCommand(argv, process.env, process.stdout)],
  ['shell', (argv) => runShellCommand(argv, process.env, process.stdin, process.stdout)],
  ['devhub', (argv) => runDevHubCommand(argv, process.stdout)],
  [
    'version',
    async () => {
      process.stdout.write(`koji-adjutant ${await version()}\n`);
      return 0;
    },
  ],
  [
    'help',
    () => {
      process.stdout.write(help);
      return 0;
    },
  ],
]);

/** Runs what the first word names; everything else is kojid's command line. */
async function run(argv: readonly string[]): Promise<number> {
  const [word = '', ...rest] = argv;
  const command = commands.get(word);
  if (command !== undefined) return command(rest);
  if (word !== '' && !word.startsWith('-')) {
    throw new CommandLineError(
      2,
      `koji-adjutant: there is no command "${word}"; "koji-adjutant help" lists them`,
    );
  }
  return runDaemon(parseDaemonArguments(argv), process.env);
}

/** Commands that speak to no other host. */
const withoutNetwork: readonly (string | undefined)[] = ['version', 'help', 'check-config'];

/** What the host trusts holds for what this process does, too. */
async function settleWithHost(command: string | undefined): Promise<void> {
  // As mock's: containers with other users read what is written here, and results are for others, too.
  process.umask(0o022);
  if (withoutNetwork.includes(command)) return;
  const trust = await readHostTrust(process.env);
  trustAsHost(trust);
  // doctor has a finding for each.
  if (command !== 'doctor')
    for (const problem of trust.problems) process.stderr.write(`koji-adjutant: trust store: ${problem}\n`);
}

/** The file lies beside src as well as beside dist. */
async function version(): Promise<string> {
  const file: unknown = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  if (typeof file !== 'object' || file === null || !('version' in file))
    throw new Error('package.json has no version');
  return String(file.version);
}

try {
  await settleWithHost(process.argv[2]);
  // Sockets of an engine or a hub that no longer matter must not keep the process.
  process.exit(await run(process.argv.slice(2)));
} catch (error) {
  if (error instanceof BuilderError && error.code === 'node-too-old') {
    process.stderr.write(`koji-adjutant: ${error.message}\n`);
    process.exit(78);
  }
  if (!(error instanceof CommandLineError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`${printableLines(text)}\n`);
    process.exit(1);
  }
  (error.exitCode === 0 ? process.stdout : process.stderr).write(`${error.message}\n`);
  process.exit(error.exitCode);
}

import { readFile } from 'node:fs/promises';
import { exitCode, type RunCommand } from './commands/command.ts';
import { CommandLineError } from './config/command-line.ts';
import { systemClock } from './core/clock.ts';
import { hasErrorCode } from './core/errors.ts';
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

/** Each is loaded when it is asked for: a daemon does without the other commands, and they without it. */
const commands: ReadonlyMap<string, () => Promise<{ readonly run: RunCommand }>> = new Map([
  ['check-config', () => import('./commands/check-config.ts')],
  ['doctor', () => import('./commands/doctor.ts')],
  ['cache', () => import('./commands/cache.ts')],
  ['compare', () => import('./commands/compare.ts')],
  ['release', () => import('./commands/release.ts')],
  ['rebuild', () => import('./commands/rebuild.ts')],
  ['shell', () => import('./commands/shell.ts')],
  ['devhub', () => import('./commands/devhub.ts')],
  ['version', async () => ({ run: async () => print(`koji-adjutant ${await version()}\n`) })],
  ['help', async () => ({ run: async () => print(help) })],
]);

/** Runs what the first word names; everything else is kojid's command line. */
async function run(argv: readonly string[]): Promise<number> {
  const [word = '', ...rest] = argv;
  const surroundings = { env: process.env, input: process.stdin, out: process.stdout, clock: systemClock };
  const command = commands.get(word);
  if (command !== undefined) return (await command()).run(rest, surroundings);
  if (word !== '' && !word.startsWith('-')) {
    throw new CommandLineError(
      2,
      `koji-adjutant: there is no command "${word}"; "koji-adjutant help" lists them`,
    );
  }
  return (await import('./commands/daemon.ts')).run(argv, surroundings);
}

function print(text: string): number {
  process.stdout.write(text);
  return exitCode.ok;
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
  if (hasErrorCode(error, 'node-too-old')) {
    process.stderr.write(`koji-adjutant: ${error.message}\n`);
    process.exit(exitCode.config);
  }
  if (!(error instanceof CommandLineError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`${printableLines(text)}\n`);
    process.exit(exitCode.failed);
  }
  (error.exitCode === 0 ? process.stdout : process.stderr).write(`${error.message}\n`);
  process.exit(error.exitCode);
}

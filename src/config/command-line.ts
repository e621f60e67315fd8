import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { BuilderError } from '../core/errors.ts';
import { DEFAULT_CONFIG_PATH } from './format/read-files.ts';
import type { Override, Overrides } from './load.ts';
import type { Config, KojidValues } from './schema.ts';

/** What the daemon's command line says; what it does not say is not there, so that the files decide. */
export interface DaemonArguments {
  /** `-c`: a file or a folder. */
  readonly configPath?: string;
  readonly adjutantPath?: string;
  /** `-f`. The daemon never detaches; the flag is kojid's. */
  readonly foreground: boolean;
  readonly forceLock: boolean;
  readonly verbose: boolean;
  readonly debug: boolean;
  readonly debugTask: boolean;
  readonly debugXmlrpc: boolean;
  /** Obsolete in kojid, too. */
  readonly debugMock: boolean;
  /** Log in and end, without looking for tasks. */
  readonly skipMain: boolean;
  /** Take one task and end after it (`--single` of Koji 1.36). */
  readonly single: boolean;
  /** Flags that win over the files' keys. */
  readonly overrides: Overrides;
}

/** The command line ends the program: it asked for help (exit code 0), or it is wrong (2, as kojid's). */
export class CommandLineError extends BuilderError {
  readonly exitCode: 0 | 2;

  constructor(exitCode: 0 | 2, message: string) {
    super(exitCode === 0 ? 'command-line-help' : 'command-line-invalid', 'builder', message);
    this.exitCode = exitCode;
  }
}

/**
 * Reads the words behind a command's name, and gives what `read` makes of them then; that may call `command.error`, too.
 * Throws `CommandLineError`.
 */
export function parseWords<T>(command: Command, argv: readonly string[], read: () => T): T {
  const output: string[] = [];
  const write = (text: string) => output.push(text);
  command.exitOverride().configureOutput({ writeOut: write, writeErr: write });
  try {
    command.parse([...argv], { from: 'user' });
    return read();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new CommandLineError(error.exitCode === 0 ? 0 : 2, output.join('').trimEnd());
  }
}

/** kojid's flags with a value that win over a key of its file: flag, placeholder, key, meaning. */
const valueFlags: readonly (readonly [flag: string, value: string, key: keyof KojidValues, help: string])[] =
  [
    ['--user', 'NAME', 'user', 'user name for a login with password'],
    ['--password', 'PASSWORD', 'password', 'password (everybody on the host can read it here)'],
    ['--maxjobs', 'N', 'maxjobs', 'most tasks at a time'],
    ['--minspace', 'MIB', 'minspace', 'free disk space below which no new task is taken'],
    ['--sleeptime', 'SECONDS', 'sleeptime', 'longest pause between two looks at the hub'],
    ['--admin-emails', 'EMAILS', 'admin_emails', 'comma separated addresses for error messages'],
    ['--topdir', 'DIR', 'topdir', "the hub's file tree"],
    ['--topurl', 'URL', 'topurl', "where the hub's files can be downloaded"],
    ['--workdir', 'DIR', 'workdir', 'where tasks keep their files'],
    ['--chroot-tmpdir', 'DIR', 'chroot_tmpdir', 'directory for temporary files inside a buildroot'],
    ['--pluginpath', 'DIRS', 'pluginpath', 'directories with plugins'],
    ['--mockdir', 'DIR', 'mockdir', "mock's directory"],
    ['--mockuser', 'USER', 'mockuser', 'user that runs mock'],
    ['-s, --server', 'URL', 'server', "the hub's XML-RPC address"],
  ];

/** The keys among them that kojid's parser takes as whole numbers. */
const integerKeys: ReadonlySet<keyof KojidValues> = new Set(['maxjobs', 'minspace', 'sleeptime']);

/** How the daemon's own command line introduces itself in its help. */
const daemonProgram: Program = {
  name: 'koji-adjutant',
  description: "Koji builder daemon that runs every task in Podman containers; takes kojid's flags",
};

/**
 * Reads the arguments behind the program's name as kojid does (`builder/kojid get_options`). Throws
 * `CommandLineError`, whose message is to be printed: to stdout when it is help, else to stderr. `program`
 * is for commands that take the daemon's flags, and for their help.
 */
export function parseDaemonArguments(
  argv: readonly string[],
  program: Program = daemonProgram,
): DaemonArguments {
  return parse(argv, program).daemon;
}

/** As `parseDaemonArguments`, for `doctor`, which has its own flag. */
export function parseDoctorArguments(argv: readonly string[]): DaemonArguments & { readonly quick: boolean } {
  const { daemon, isGiven } = parse(argv, {
    name: 'koji-adjutant doctor',
    description:
      'Looks at this host, its container engine and its hub, builds a small package, and says what to do',
    flags: [['--quick', 'look only, and build nothing: the answer is no proof then']],
  });
  return { ...daemon, quick: isGiven('quick') };
}

/** How a command that takes the daemon's flags introduces itself in its help, and what else it takes. */
interface Program {
  readonly name: string;
  readonly description: string;
  readonly flags?: readonly (readonly [flag: string, help: string])[];
}

function parse(
  argv: readonly string[],
  program: Program,
): { readonly daemon: DaemonArguments; isGiven(name: string): boolean } {
  const overrides: Partial<Record<keyof KojidValues, Override>> = {};
  const command = daemonCommand(program, (key, override) => {
    overrides[key] = override;
  });
  return parseWords(command, argv, () => {
    const isGiven = (name: string): boolean => command.getOptionValue(name) === true;
    const configPath: unknown = command.getOptionValue('config');
    const adjutantPath: unknown = command.getOptionValue('adjutantConfig');
    const daemon = {
      ...(typeof configPath === 'string' ? { configPath } : {}),
      ...(typeof adjutantPath === 'string' ? { adjutantPath } : {}),
      foreground: isGiven('fg'),
      forceLock: isGiven('forceLock'),
      verbose: isGiven('verbose'),
      debug: isGiven('debug'),
      debugTask: isGiven('debugTask'),
      debugXmlrpc: isGiven('debugXmlrpc'),
      debugMock: isGiven('debugMock'),
      skipMain: isGiven('skipMain'),
      single: isGiven('single'),
      overrides,
    };
    return { daemon, isGiven };
  });
}

function daemonCommand(
  program: Program,
  override: (key: keyof KojidValues, override: Override) => void,
): Command {
  const command = new Command(program.name)
    .description(program.description)
    .allowExcessArguments(false)
    .option(
      '-c, --config <FILE>',
      `configuration file, or a folder of *.conf files (default: ${DEFAULT_CONFIG_PATH})`,
    )
    .option('--adjutant-config <FILE>', 'our own file (default: adjutant.conf beside the other)')
    .option('-f, --fg', 'stay in the foreground, as is always done')
    .option('--force-lock', 'take over the exclusive session of another daemon')
    .option('-v, --verbose', 'log what is done')
    .option('-d, --debug', 'log everything')
    .option('--debug-task', 'log everything about tasks, whatever else is logged')
    .option('--debug-xmlrpc', 'log every call to the hub and its answer, without secrets')
    .option('--skip-main', 'log in and end')
    .option('--single', 'take one task and end after it')
    .addOption(new Option('--debug-mock').hideHelp());
  for (const [flag, help] of program.flags ?? []) command.option(flag, help);
  for (const [flags, value, key, help] of valueFlags) {
    const option = new Option(`${flags} <${value}>`, help);
    const flag = option.long ?? flags;
    command.addOption(
      option.argParser((text) =>
        override(key, { flag, text: integerKeys.has(key) ? integerText(text) : text }),
      ),
    );
  }
  const plugins: string[] = [];
  const collect = (name: string): void => {
    plugins.push(name);
    override('plugin', { flag: '--plugin', text: plugins.join(' ') });
  };
  command.addOption(new Option('--plugin <NAME>', 'plugin to load, may be repeated').argParser(collect));
  const obsolete = new Option('--pkgurl <URL>').hideHelp();
  return command.addOption(obsolete.argParser((text) => override('pkgurl', { flag: '--pkgurl', text })));
}

/** A whole number as Python's optparse reads it (`0x10`, `0b10`, `010` is eight), in digits. */
function integerText(text: string): string {
  const [, hexadecimal, binary, octal, decimal] =
    /^(?:0x([0-9a-f]+)|0b([01]+)|0([0-7]*)|([+-]?[1-9]\d*))$/i.exec(text) ?? [];
  if (hexadecimal !== undefined) return String(Number.parseInt(hexadecimal, 16));
  if (binary !== undefined) return String(Number.parseInt(binary, 2));
  if (octal !== undefined) return String(Number.parseInt(`0${octal}`, 8));
  if (decimal === undefined) throw new InvalidArgumentError('Write a whole number.');
  return decimal;
}

/**
 * The least level that is logged, in pino's words: `-d`, then `-v`, then `log_level`, then kojid's
 * default, warnings (`builder/kojid`, main).
 */
export function logLevelOf(
  { verbose, debug }: Pick<DaemonArguments, 'verbose' | 'debug'>,
  { kojid }: Pick<Config, 'kojid'>,
): 'fatal' | 'error' | 'warn' | 'info' | 'debug' {
  if (debug) return 'debug';
  if (verbose) return 'info';
  switch (kojid.log_level) {
    case 'CRITICAL':
    case 'FATAL':
      return 'fatal';
    case 'ERROR':
      return 'error';
    case 'INFO':
      return 'info';
    case 'DEBUG':
      return 'debug';
    default:
      return 'warn';
  }
}

import { stat } from 'node:fs/promises';
import { machine } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { pino } from 'pino';
import { defaultImage, ensureDefaultImage } from '../assembly/default-image.ts';
import { localConfig } from '../assembly/local-config.ts';
import { cacheDirectory, openLocalArea } from '../assembly/local-state.ts';
import { grantAccess } from '../buildroot/build-inputs.ts';
import type { BuildrootHost } from '../buildroot/host.ts';
import { describeFailedRoot, enterFailedRoot } from '../cache/failed-root-shell.ts';
import { Fetcher } from '../cache/fetcher.ts';
import { CommandLineError, parseWords } from '../config/command-line.ts';
import { ConfigError } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { ContainerError } from '../container/errors.ts';
import type { ImageInfo, ImageStore } from '../container/image-store.ts';
import { below } from '../core/below.ts';
import type { Clock } from '../core/clock.ts';
import { BuilderError, describeError, hasErrorCode } from '../core/errors.ts';
import { readProxies, repoProxies } from '../core/host-proxies.ts';
import { createLogger } from '../core/logger.ts';
import { PrintableOutput, printableLines } from '../core/printable.ts';
import { Waits } from '../core/waits.ts';
import { canonArch, hostArch, machineArch } from '../rpm/arch.ts';
import { readRpmHeader } from '../rpm/header.ts';
import { type RebuildOrder, type Rebuilt, rebuild } from '../standalone/rebuild/rebuild.ts';
import { RebuildProgress } from '../standalone/rebuild/rebuild-progress.ts';
import { checkGroup } from '../standalone/rebuild/repo-groups.ts';
import { toRepo } from '../standalone/rebuild/repo-option.ts';
import { lastLines } from '../terminal/progress-view.ts';
import { PlainScreen, type Screen, TerminalScreen } from '../terminal/screen.ts';
import {
  type CommandContext,
  complain,
  describeFailure,
  exitCode,
  type RunCommand,
  stopOnSignals,
} from './command.ts';
import { tellWaitsOnSignal } from './tell-waits.ts';

/** It was told to stop, as a shell says it of SIGINT. */
const stoppedCode = 130;

interface RebuildArguments {
  readonly source: string;
  readonly repo: readonly string[];
  readonly image?: string;
  readonly arch: string;
  readonly macro: readonly string[];
  readonly result?: string;
  readonly group: string;
  readonly packages?: string;
  readonly network: 'no' | 'host';
  readonly cacheDir?: string;
  readonly config?: string;
  readonly shell: boolean;
  readonly verbose: boolean;
}

/**
 * `koji-adjutant rebuild`: builds a source package without a hub, in the buildroots of the tasks, and shows how it goes.
 * Resolves with the exit code. Throws `CommandLineError` for a wrong command line.
 */
export const run: RunCommand = async (argv, { env, out, clock }) => {
  const args = parse(argv);
  // Asked twice: whatever takes so long is not waited for; the next start removes it.
  using stopping = stopOnSignals('stopped; nothing of the build is left on this host', {
    again: stoppedCode,
  });
  const { signal } = stopping;
  const waits = new Waits(clock);
  using _telling = tellWaitsOnSignal(waits, 'rebuild');
  try {
    const rebuilt = await build(args, { env, out, clock, waits }, signal);
    return rebuilt.kind === 'built' ? exitCode.ok : exitCode.failed;
  } catch (error) {
    if (signal.aborted) return complain('rebuild', describeError(signal.reason), stoppedCode);
    const message = describeFailure(error);
    if (message === null || error instanceof CommandLineError) throw error;
    return complain('rebuild', message, codeOf(error));
  }
};

/** What a command line can be blamed for, and what this host: there nothing can be built, whatever the package. */
function codeOf(error: unknown): number {
  if (!(error instanceof BuilderError) || error instanceof ConfigError) return exitCode.config;
  if (hasErrorCode(error, 'bad-repo', 'bad-rpm', 'bad-tag-setting')) return exitCode.usage;
  return error instanceof ContainerError || error.blame === 'builder' || hasErrorCode(error, 'unusable-image')
    ? exitCode.config
    : exitCode.failed;
}

async function build(
  args: RebuildArguments,
  { env, out, clock, waits }: Omit<CommandContext, 'input'> & { readonly waits: Waits },
  signal: AbortSignal,
): Promise<Rebuilt> {
  const source = resolve(args.source);
  if (!(await stat(source).catch(() => null))?.isFile())
    throw new CommandLineError(2, `koji-adjutant rebuild: there is no file ${args.source}`);
  const header = await readRpmHeader(source, signal);
  if (!header.isSource)
    throw new CommandLineError(2, `koji-adjutant rebuild: ${args.source} is not a source package`);
  const { nvr } = header;
  const config = localConfig(args.config, {}, env);
  const repos = await Promise.all(args.repo.map((text, index) => toRepo(text, index, args.arch)));
  if (args.packages === undefined)
    await checkGroup(
      args.group,
      repos,
      new Fetcher(repoProxies(config.kojid.yum_proxy, readProxies(env)), clock),
      signal,
    );

  const log = createLogger(args.verbose ? 'info' : 'silent', pino.destination(2));
  const directory = cacheDirectory(args.cacheDir, env);
  const screen = out.isTTY && !args.verbose ? new TerminalScreen(out) : new PlainScreen(out);
  const progress = new RebuildProgress(`${nvr} ${args.arch}`, clock);
  const rebuilt = await (async () => {
    await using area = await openLocalArea(
      { name: 'rebuild', directory, config, env, log, waits, keepFailed: args.shell },
      signal,
    );
    const { digest } = await ensureImage(args, config, area.host.images, signal);
    const order: RebuildOrder = {
      source,
      repos,
      group: args.group,
      arch: args.arch,
      imageDigest: digest,
      ...(args.packages !== undefined && { packages: words(args.packages) }),
      extra: Object.fromEntries(args.macro.map(toMacro)),
      image: {
        image: args.image ?? defaultImage(config.adjutant.task_image_default),
        pull: config.adjutant.image_pull_policy,
        because: args.image === undefined ? 'task_image_default' : '--image',
        ...(args.network === 'host' && { network: true }),
      },
      result: args.result === undefined ? below(process.cwd(), nvr) : resolve(args.result),
    };
    // There is no tag and no channel: what is opened for all builds.
    const { host, granted } = await grantAccess(area.host, config.site, {
      tag: null,
      channel: null,
      package: header.name,
    });
    const context = {
      host,
      id: area.id,
      directory: await area.openWork(),
      log,
      granted,
    };
    const done = await drawn(screen, progress, clock, signal, () =>
      rebuild(context, order, watcher(progress, args.verbose ? out : null), signal),
    );
    if (args.shell && done.kind === 'failed') {
      screen.print(printableLines(describe(done)));
      await enterFailed(host, area.id, out, signal);
    }
    return done;
  })();
  if (!args.shell || rebuilt.kind === 'built') screen.print(printableLines(describe(rebuilt)));
  return rebuilt;
}

/** Opens the shell that was asked for in the buildroot of the failed build; afterwards it is gone. */
async function enterFailed(
  { runtime, workerId, clock, cache: { failed } }: BuildrootHost,
  id: number,
  out: NodeJS.WriteStream,
  signal: AbortSignal,
): Promise<void> {
  await failed.idle();
  const root = (await failed.list()).find(({ buildrootId }) => buildrootId === id);
  if (root === undefined) {
    out.write('\nThere is no buildroot to enter: it could not be made.\n');
    return;
  }
  out.write(`\n${describeFailedRoot(root, clock.now())}`);
  const terminal = process.stdin.isTTY && out.isTTY;
  await enterFailedRoot(runtime, failed, root, { workerId, terminal, command: null }, signal);
  await failed.remove(root);
}

/** Shows the progress of a build until it has ended. */
async function drawn(
  screen: Screen,
  progress: RebuildProgress,
  clock: Clock,
  signal: AbortSignal,
  build: () => Promise<Rebuilt>,
): Promise<Rebuilt> {
  await using _drawing = draw(screen, progress, clock);
  try {
    const done = await build();
    progress.end(done.kind === 'built' ? 'closed' : 'failed');
    return done;
  } catch (error) {
    progress.end(signal.aborted ? 'canceled' : 'failed');
    throw error;
  }
}

function ensureImage(
  { image }: RebuildArguments,
  config: Config,
  images: ImageStore,
  signal: AbortSignal,
): Promise<ImageInfo> {
  return image === undefined
    ? ensureDefaultImage(config, images, signal)
    : images.ensure(image, config.adjutant.image_pull_policy, signal);
}

/** The progress, and the build's own words where they are wanted. */
function watcher(progress: RebuildProgress, words: NodeJS.WritableStream | null) {
  const said = new PrintableOutput();
  return {
    step: progress.step.bind(progress),
    progress: progress.progress.bind(progress),
    output(log: 'root' | 'build', bytes: Uint8Array | string) {
      progress.output(log, bytes);
      if (log === 'build') words?.write(said.take(bytes));
    },
  };
}

const drawEveryMs = 150;

/** Shows the progress until it is disposed; the last frame stays. */
function draw(screen: Screen, progress: RebuildProgress, clock: Clock): AsyncDisposable {
  const enough = new AbortController();
  const drawing = (async () => {
    while (!enough.signal.aborted) {
      const { frame } = progress;
      // Counting is for a line that is drawn over.
      screen.show(screen instanceof PlainScreen ? { ...frame, note: null } : frame);
      await clock.sleep(drawEveryMs, enough.signal).catch(() => undefined);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      if (enough.signal.aborted) return;
      enough.abort();
      await drawing;
      screen.finish({ ...progress.frame, note: null });
    },
  };
}

/** Which log says why, for mock's statuses. */
function describe(rebuilt: Rebuilt): string {
  if (rebuilt.kind === 'failed') {
    const { failure, log, lastLines: lines } = rebuilt;
    const shown = lastLines(lines.join('\n'), lines.length).map((line) => `  | ${line}`);
    return ['', failure.message, '', `  ${basename(log)}`, ...shown, '', `  all of it: ${log}`].join('\n');
  }
  const { packages, logs, passedOver } = rebuilt;
  const [first = ''] = logs;
  const names = logs.map((path) => basename(path)).join(' ');
  return [
    '',
    ...packages,
    `logs in ${dirname(first)}: ${names}`,
    ...passedOver.map((what) => `left in the buildroot: ${what}`),
  ].join('\n');
}

function toMacro(text: string): [string, string] {
  const at = text.indexOf('=');
  return [`rpm.macro.${text.slice(0, at)}`, text.slice(at + 1)];
}

function words(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

function parse(argv: readonly string[]): RebuildArguments {
  const add = (value: string, former: readonly string[]) => [...former, value];
  const none: readonly string[] = [];
  const command = new Command('koji-adjutant rebuild')
    .description(
      'Builds a source package without a hub, in the same sandboxed and cached buildroots as the tasks',
    )
    .argument('<PKG.src.rpm>', 'the source package')
    .requiredOption('--repo <URL|DIR>', 'where packages come from; may be repeated', add, none)
    .option('--image <IMAGE>', 'bootstrap image (default: task_image_default)')
    .option('--arch <ARCH>', 'arch of buildroot and packages', hostArch())
    .option('--macro <M=V>', 'a macro for rpm, such as dist=.fc42; may be repeated', add, none)
    .option('--result <DIR>', 'where packages and logs go (default: NAME-VERSION-RELEASE)')
    .option('--group <GROUP>', 'package group that the buildroot starts from', 'build')
    .option('--packages <NAMES>', 'packages that it starts from in place of a group')
    .addOption(
      new Option('--network <WHICH>', "none for the build, or this host's")
        .choices(['no', 'host'])
        .default('no'),
    )
    .option('--cache-dir <DIR>', 'what is kept for later builds (default: koji-adjutant in $XDG_CACHE_HOME)')
    .option('-c, --config <FILE>', "kojid.conf with a builder's settings; without it, defaults")
    .option('--shell', 'when the build fails, enter its buildroot', false)
    .option('-v, --verbose', 'show all of build.log, and log to standard error what is done', false)
    .allowExcessArguments(false);
  return parseWords(command, argv, () => {
    const [source = ''] = command.args;
    const options = command.opts<Omit<RebuildArguments, 'source'>>();
    const { macro, packages, arch } = options;
    const wrong = macro.find((text) => !text.includes('='));
    if (wrong !== undefined) command.error(`error: --macro ${wrong}: must be NAME=VALUE`);
    if (packages !== undefined && (words(packages).length === 0 || /(^|[\s,])-/.test(packages)))
      command.error('error: --packages takes names of packages');
    if (arch === 'noarch')
      command.error(
        `error: --arch noarch: a buildroot has the arch of its machine, here ${machine()}; packages that are noarch come from any`,
      );
    if (machineArch(canonArch(arch)) !== machine())
      command.error(`error: --arch ${arch} cannot be built on this machine, which is ${machine()}`);
    return { ...options, source };
  });
}

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { pino } from 'pino';
import { anonymousSession } from '../assembly/hub-connection.ts';
import { imagePolicy } from '../assembly/image-policy.ts';
import { localConfig } from '../assembly/local-config.ts';
import { cacheDirectory, type LocalArea, openLocalArea } from '../assembly/local-state.ts';
import { parseWords } from '../config/command-line.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';
import { readProxies } from '../core/host-proxies.ts';
import { createLogger, type Logger } from '../core/logger.ts';
import { printableLines } from '../core/printable.ts';
import { Waits } from '../core/waits.ts';
import { HubFiles } from '../hub/files.ts';
import { compareTarget } from '../standalone/compare/compare-target.ts';
import type { Comparison } from '../standalone/compare/comparison.ts';
import { ReadOnlyHub, readOnlyMethods } from '../standalone/compare/read-only-hub.ts';
import type { CompareContext } from '../standalone/compare/rebuild-reference.ts';
import { formatComparison, toReportJson, unexcused } from '../standalone/compare/report.ts';
import { complain, describeFailure, type RunCommand, stopOnSignals } from './command.ts';
import { tellWaitsOnSignal } from './tell-waits.ts';

/** No differences outside the whitelist; differences; there was no way to compare. */
const ended = { equal: 0, different: 1, notCompared: 2 } as const;

interface CompareArguments {
  readonly target: string;
  readonly hub?: string;
  readonly topurl?: string;
  readonly image?: string;
  readonly arch?: string;
  readonly repo?: 'latest';
  readonly json?: string;
  readonly output?: string;
  readonly config?: string;
  readonly cacheDir?: string;
  readonly verbose: boolean;
}

/**
 * `koji-adjutant compare`: builds what another builder has built, with the same repo, and prints what differs.
 * Reads from the hub, without a login, and changes nothing there. Resolves with the exit code, 0, 1 or 2.
 * Throws `CommandLineError` for a wrong command line.
 */
export const run: RunCommand = async (argv, { env, out, clock }) => {
  const args = parse(argv);
  using stopping = stopOnSignals('interrupted');
  const waits = new Waits(clock);
  using _telling = tellWaitsOnSignal(waits, 'compare');
  try {
    const comparisons = await compare(args, configOf(args, env), { env, clock, waits }, out, stopping.signal);
    if (args.json !== undefined) await writeFile(args.json, toReportJson(args.target, comparisons));
    return unexcused(comparisons).length === 0 ? ended.equal : ended.different;
  } catch (error) {
    const bug = error instanceof Error ? (error.stack ?? error.message) : String(error);
    // Not 1: that would say that something was compared.
    return complain('compare', describeFailure(error) ?? bug, ended.notCompared);
  }
};

async function compare(
  args: CompareArguments,
  config: Config,
  { env, clock, waits }: { readonly env: NodeJS.ProcessEnv; readonly clock: Clock; readonly waits: Waits },
  out: { write(text: string): unknown },
  signal: AbortSignal,
): Promise<readonly Comparison[]> {
  const log = createLogger(args.verbose ? 'info' : 'silent', pino.destination(2));
  const directory = cacheDirectory(args.cacheDir, env);
  await using area = await openLocalArea({ name: 'compare', directory, config, env, log, waits }, signal);
  const context = await openContext(args, config, area, { clock, log });
  const { output } = args;
  const target = {
    name: args.target,
    arch: args.arch ?? null,
    latestRepo: args.repo === 'latest',
    theirSite: args.config === undefined,
    keep: (taskId: number) => (output === undefined ? null : join(output, String(taskId))),
  };
  const comparisons: Comparison[] = [];
  for await (const comparison of compareTarget(
    context,
    target,
    (note) => out.write(`${printableLines(note)}\n`),
    signal,
  )) {
    out.write(formatComparison(comparison));
    comparisons.push(comparison);
  }
  return comparisons;
}

async function openContext(
  args: CompareArguments,
  config: Config,
  area: LocalArea,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<CompareContext> {
  const { kojid, adjutant } = config;
  const session = await anonymousSession(
    config,
    { ...retries, clock, log, timeoutMs: answerMs },
    readOnlyMethods,
  );
  const hub = new ReadOnlyHub(session, clock);
  const policy = imagePolicy(config, hub.tags, clock, args.image);
  return {
    hub,
    policy,
    log,
    host: area.host,
    id: area.id,
    openWork: () => area.openWork(),
    files: new HubFiles(kojid.topurl, kojid.topdir, readProxies(process.env)),
    settings: {
      mockBootstrapImage: kojid.mock_bootstrap_image,
      networkEnabled: adjutant.network_enabled,
    },
  };
}

/** A person waits: a hub that is not there is soon given up. */
const retries = { maxRetries: 2, retryIntervalMs: 2000, offlineRetry: false, offlineRetryIntervalMs: 2000 };
const answerMs = 120_000;

/** The daemon's configuration where one is given, else its defaults. Throws `ConfigError`. */
function configOf({ hub, topurl, config }: CompareArguments, env: NodeJS.ProcessEnv): Config {
  const files = topurl ?? (config === undefined ? hub?.replace(/\/kojihub\/*$/, '/kojifiles') : undefined);
  const overrides = {
    ...(hub === undefined ? {} : { server: { flag: '--hub', text: hub } }),
    ...(files === undefined ? {} : { topurl: { flag: '--topurl', text: files } }),
  };
  return localConfig(config, overrides, env);
}

function parse(argv: readonly string[]): CompareArguments {
  const command = new Command('koji-adjutant compare')
    .description(
      'Builds what another builder has built, with the same repo, and prints what differs. Changes nothing on the hub',
    )
    .argument('<TASK|NVR>', 'number of a buildArch task, or of a build with some, or name of a build')
    .option('--hub <URL>', "the hub's XML-RPC address; from the configuration when -c is given")
    .option('--topurl <URL>', "the hub's files (default: /kojifiles beside /kojihub)")
    .option('--image <IMAGE>', "bootstrap image, whatever the tag's policy says")
    .option('--arch <ARCH>', 'of a build with several buildArch tasks those for this arch')
    .addOption(
      new Option('--repo <WHICH>', "build with the newest repo of the tag, not the task's own").choices([
        'latest',
      ]),
    )
    .option('--json <FILE>', 'write everything that was found to a file, too')
    .option('--output <DIR>', 'keep our packages and logs in DIR/TASK')
    .option('-c, --config <FILE>', 'kojid.conf of the builder that is to take over; without it, defaults')
    .option('--cache-dir <DIR>', 'what is kept for later builds (default: koji-adjutant in $XDG_CACHE_HOME)')
    .option('-v, --verbose', 'log to standard error what is done', false)
    .allowExcessArguments(false);
  return parseWords(command, argv, () => {
    const [target = ''] = command.args;
    const options = command.opts<Omit<CompareArguments, 'target'>>();
    if (options.hub === undefined && options.config === undefined)
      command.error('error: give --hub, or -c with the configuration of a builder');
    return { ...options, target };
  });
}

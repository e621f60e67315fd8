import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { pino } from 'pino';
import { localConfig } from '../assembly/local-config.ts';
import { cacheDirectory, type LocalArea, openLocalArea } from '../assembly/local-state.ts';
import { hubTlsOf } from '../config/auth.ts';
import { CommandLineError } from '../config/command-line.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { systemClock } from '../core/clock.ts';
import { BuilderError, describeError } from '../core/errors.ts';
import { readProxies } from '../core/host-proxies.ts';
import { createLogger, type Logger } from '../core/logger.ts';
import { printableLines } from '../core/printable.ts';
import { Waits } from '../core/waits.ts';
import { HubFiles } from '../hub/files.ts';
import { AnonymousSession } from '../hub/session/anonymous-session.ts';
import { loadTls } from '../hub/transport/tls.ts';
import { createTransport } from '../hub/transport/transport.ts';
import { PolicyResolver } from '../policy/resolver.ts';
import { compareTarget } from '../standalone/compare/compare-target.ts';
import type { Comparison } from '../standalone/compare/comparison.ts';
import { HubQuestions, readOnlyMethods } from '../standalone/compare/read-only-hub.ts';
import type { Workshop } from '../standalone/compare/rebuild-reference.ts';
import { formatComparison, toReportJson, unexcused } from '../standalone/compare/report.ts';
import { tellWaitsOnSignal } from './tell-waits.ts';

/** No differences outside the whitelist; differences; there was no way to compare. */
const exitCode = { equal: 0, different: 1, notCompared: 2 } as const;

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
export async function runCompareCommand(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  out: { write(text: string): unknown },
): Promise<number> {
  const args = parse(argv);
  const complain = (message: string): number => {
    process.stderr.write(`koji-adjutant compare: ${printableLines(message)}\n`);
    return exitCode.notCompared;
  };
  const leave = new AbortController();
  const stop = () => leave.abort(new BuilderError('stopped', 'external', 'told to stop'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const waits = new Waits(systemClock);
  using _telling = tellWaitsOnSignal(waits, 'compare');
  try {
    const comparisons = await compare(args, configOf(args, env), { env, waits }, out, leave.signal);
    if (args.json !== undefined) await writeFile(args.json, toReportJson(args.target, comparisons));
    return unexcused(comparisons).length === 0 ? exitCode.equal : exitCode.different;
  } catch (error) {
    if (error instanceof ConfigError) return complain(error.problems.map(formatProblem).join('\n'));
    if (error instanceof BuilderError) return complain(describeError(error).replaceAll(/\s+/g, ' '));
    // Not 1: that would say that something was compared.
    return complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

async function compare(
  args: CompareArguments,
  config: Config,
  { env, waits }: { readonly env: NodeJS.ProcessEnv; readonly waits: Waits },
  out: { write(text: string): unknown },
  signal: AbortSignal,
): Promise<readonly Comparison[]> {
  const log = createLogger(args.verbose ? 'info' : 'silent', pino.destination(2));
  const directory = cacheDirectory(args.cacheDir, env);
  await using area = await openLocalArea({ name: 'compare', directory, config, env, log, waits }, signal);
  const shop = await openWorkshop(args, config, area, log);
  const { output } = args;
  const target = {
    ...{ name: args.target, arch: args.arch ?? null, latestRepo: args.repo === 'latest' },
    theirSite: args.config === undefined,
    keep: (taskId: number) => (output === undefined ? null : join(output, String(taskId))),
  };
  const comparisons: Comparison[] = [];
  for await (const comparison of compareTarget(
    shop,
    target,
    (note) => out.write(`${printableLines(note)}\n`),
    signal,
  )) {
    out.write(formatComparison(comparison));
    comparisons.push(comparison);
  }
  return comparisons;
}

async function openWorkshop(
  args: CompareArguments,
  config: Config,
  area: LocalArea,
  log: Logger,
): Promise<Workshop> {
  const { kojid, adjutant } = config;
  const clock = systemClock;
  const transport = createTransport({
    ...{ server: kojid.server, secure: false, timeoutMs: answerMs },
    tls: await loadTls(hubTlsOf(config)),
    proxies: readProxies(process.env),
  });
  const settings = { ...retries, clock, transport, log };
  const hub = new HubQuestions(new AnonymousSession(settings, readOnlyMethods), clock);
  const policy = new PolicyResolver(
    {
      enabled: adjutant.policy_enabled && args.image === undefined,
      defaultImage: args.image ?? adjutant.task_image_default,
      defaultPull: adjutant.image_pull_policy,
      cacheTtlMs: adjutant.policy_cache_ttl * 1000,
      mockBootstrapImage: kojid.mock_bootstrap_image,
    },
    async (tagId, event, by) =>
      (await hub.tags.buildConfig(tagId, { event: event ?? null, signal: by })).extra,
    clock,
  );
  return {
    ...{ hub, policy, log, host: area.host, id: area.id },
    openWork: () => area.openWork(),
    files: new HubFiles(kojid.topurl, kojid.topdir, readProxies(process.env)),
    mockBootstrapImage: kojid.mock_bootstrap_image,
    networkEnabled: adjutant.network_enabled,
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
  const output: string[] = [];
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
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.push(text), writeErr: (text) => output.push(text) });
  try {
    command.parse([...argv], { from: 'user' });
    const [target = ''] = command.args;
    const options = command.opts<Omit<CompareArguments, 'target'>>();
    if (options.hub === undefined && options.config === undefined)
      command.error('error: give --hub, or -c with the configuration of a builder');
    return { ...options, target };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new CommandLineError(error.exitCode === 0 ? 0 : 2, output.join('').trimEnd());
  }
}

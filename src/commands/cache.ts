import { realpath } from 'node:fs/promises';
import { Command } from 'commander';
import { cacheBudget, openCache } from '../assembly/buildroot-services.ts';
import { reachEngine } from '../assembly/container-engine.ts';
import { localConfig } from '../assembly/local-config.ts';
import { workPlaces } from '../assembly/state-directory.ts';
import { type CacheBudget, trimCache } from '../cache/eviction.ts';
import type { FailedRoot } from '../cache/failed-roots.ts';
import type { StoredSnapshot } from '../cache/snapshot-store.ts';
import { parseWords } from '../config/command-line.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { BuilderError, describeError } from '../core/errors.ts';
import { createLogger } from '../core/logger.ts';
import { never } from '../core/never.ts';
import { printable } from '../core/printable.ts';
import { complain, describeProblems, exitCode, type RunCommand } from './command.ts';

const ofRebuild =
  'this is the cache of the daemon; for that of rebuild and compare give --cache-dir (~/.cache/koji-adjutant)';

interface CacheArguments {
  readonly action: 'show' | 'trim';
  readonly all: boolean;
  readonly config?: string;
  readonly cacheDir?: string;
}

/**
 * `koji-adjutant cache`: shows what a builder keeps for later builds, or removes what exceeds its budget, or all that is
 * not in use. May be run while the daemon runs. Resolves with the exit code. Throws `CommandLineError`.
 */
export const run: RunCommand = async (argv, { env, out, clock }) => {
  const args = parse(argv);
  try {
    const config = await configOf(args, env);
    const { state_dir: workDir } = config.adjutant;
    const log = createLogger('silent');
    const backend = await reachEngine(config, workPlaces(config), env, clock, log, never);
    const cache = openCache(config, { backend, workDir, clock, log });
    const budget = await cacheBudget(config);
    if (args.action === 'trim') {
      const kept = args.all ? { snapshotBytes: 0, packageBytes: 0, failedBytes: 0, solutions: 0 } : budget;
      const { snapshots, packages, failed } = await trimCache(cache, kept, never);
      const roots = failed.removed === 1 ? '1 failed buildroot' : `${failed.removed} failed buildroots`;
      out.write(`${roots}, ${snapshots.removed} snapshots and ${packages.removed} packages removed\n`);
    }
    const files = await cache.packages.list();
    const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const snapshots = await cache.snapshots.list(never);
    out.write(formatCache(snapshots, { count: files.length, bytes }, await cache.failed.list(), budget));
    return exitCode.ok;
  } catch (error) {
    if (error instanceof ConfigError) {
      const where = args.cacheDir === undefined ? [ofRebuild] : [];
      return complain('cache', [describeProblems(error), ...where].join('\n'), exitCode.config);
    }
    if (!(error instanceof BuilderError)) throw error;
    return complain('cache', describeError(error), exitCode.failed);
  }
};

/** With the builder's directory, or the one that is to be looked at. */
async function configOf(args: CacheArguments, env: NodeJS.ProcessEnv): Promise<Config> {
  const { config: configPath, cacheDir } = args;
  if (cacheDir === undefined) return loadConfig({ ...(configPath !== undefined && { configPath }), env });
  const config = localConfig(configPath, {}, env);
  try {
    return { ...config, adjutant: { ...config.adjutant, state_dir: await realpath(cacheDir) } };
  } catch (error) {
    throw new BuilderError('no-cache', 'request', `there is no cache at ${cacheDir}`, { cause: error });
  }
}

/** What is kept, last used first, as a table. */
function formatCache(
  snapshots: readonly StoredSnapshot[],
  packages: { readonly count: number; readonly bytes: number },
  failed: readonly Pick<FailedRoot, 'taskId' | 'bytes' | 'endedMs' | 'failure'>[],
  budget: CacheBudget,
): string {
  const bytes = snapshots.reduce((sum, { ownBytes }) => sum + ownBytes, 0);
  const lines = snapshots
    .toSorted((one, other) => other.usedMs - one.usedMs)
    .map(
      ({ key, title, ownBytes, usedMs }) =>
        `  ${key.slice(0, 12)}  ${mib(ownBytes).padStart(9)}  ${atSecond(usedMs)}  ${printable(title)}`,
    );
  const failedBytes = failed.reduce((sum, root) => sum + root.bytes, 0);
  return [
    `snapshots: ${snapshots.length}, ${mib(bytes)} of ${mib(budget.snapshotBytes)}`,
    ...lines,
    `packages: ${packages.count}, ${mib(packages.bytes)} of ${mib(budget.packageBytes)}`,
    `failed buildroots: ${failed.length}, ${mib(failedBytes)} of ${mib(budget.failedBytes)}`,
    ...failed.map(
      (root) =>
        `  task ${root.taskId}  ${mib(root.bytes).padStart(9)}  ${atSecond(root.endedMs)}  ${printable(root.failure)}`,
    ),
    '',
  ].join('\n');
}

function atSecond(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 1 : 0)} MiB`;
}

function parse(argv: readonly string[]): CacheArguments {
  const command = new Command('koji-adjutant cache')
    .description('Shows the prepared buildroots and fetched packages that a builder keeps')
    .argument('[ACTION]', 'show, or trim: remove what exceeds the budget', 'show')
    .option('--all', 'trim: remove all that is not in use', false)
    .option('-c, --config <FILE>', 'kojid.conf of the builder')
    .option('--cache-dir <DIR>', 'that of rebuild and compare: ~/.cache/koji-adjutant')
    .allowExcessArguments(false);
  return parseWords(command, argv, () => {
    const [action = 'show'] = command.args;
    if (action !== 'show' && action !== 'trim')
      command.error(`error: the action is show or trim, not ${JSON.stringify(action)}`);
    return { ...command.opts<Omit<CacheArguments, 'action'>>(), action: action === 'trim' ? 'trim' : 'show' };
  });
}

import { join } from 'node:path';
import type { DaemonArguments } from '../config/command-line.ts';
import { patternsWithoutMethod } from '../config/options/accept-rules.ts';
import type { Config } from '../config/schema.ts';
import type { ContainerBackend } from '../container/backend.ts';
import { workerIdOf } from '../container/names.ts';
import { systemClock } from '../core/clock.ts';
import { withDeadline } from '../core/deadline.ts';
import { BuilderError } from '../core/errors.ts';
import { readProxies } from '../core/host-proxies.ts';
import { faultCodes } from '../core/koji-faults.ts';
import type { Logger } from '../core/logger.ts';
import { Waits } from '../core/waits.ts';
import { Daemon } from '../daemon/daemon.ts';
import { BuilderEvents } from '../daemon/events.ts';
import { HostProbe } from '../daemon/intake/host-probe.ts';
import { taskProgress } from '../daemon/run/task-progress.ts';
import { TaskRecord } from '../daemon/run/task-record.ts';
import type { TaskEnvironment } from '../daemon/run/task-runner.ts';
import { hubApis } from '../hub/api/apis.ts';
import { isFault } from '../hub/faults.ts';
import { HubFiles } from '../hub/files.ts';
import type { HubSession } from '../hub/session/session.ts';
import { Restarts } from '../journal/restarts.ts';
import type { SessionFiles } from '../journal/session-files.ts';
import { TaskJournal } from '../journal/task-journal.ts';
import { type BuilderMetrics, builderMetrics, countEvents } from '../monitoring/builder-metrics.ts';
import { CacheGauges } from '../monitoring/cache-gauges.ts';
import { Health } from '../monitoring/health.ts';
import { StatusServer } from '../monitoring/status-server.ts';
import { taskMethods } from '../tasks/registry.ts';
import { RepoNews } from '../tasks/repo-news.ts';
import { buildrootHost, cacheBudget } from './buildroot-services.ts';
import { reachEngine } from './container-engine.ts';
import { ensureDefaultImage } from './default-image.ts';
import { openHostSession } from './hub-connection.ts';
import { imagePolicy } from './image-policy.ts';
import { InstanceLock } from './instance-lock.ts';
import { ReleaseGuard } from './release-guard.ts';
import { checkDisk, openStateDirectory, workPlaces } from './state-directory.ts';

/**
 * The daemon and all that it works with, logged in to the hub as the one builder of its host. Disposing of `cleanup` lets
 * go of what outlives no daemon. Rejects with a `BuilderError` that says what keeps it from starting.
 */
export async function assembleDaemon(
  args: DaemonArguments & { readonly resume: boolean },
  config: Config,
  env: NodeJS.ProcessEnv,
  log: Logger,
  cleanup: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Daemon> {
  checkAccept(config);
  const clock = systemClock;
  const places = workPlaces(config);
  // Whatever a task writes is this user's alone, unless it is made readable on purpose.
  process.umask(0o077);
  await openStateDirectory(places.workDir, ['tasks', 'containers']);
  cleanup.use(await InstanceLock.take(places.workDir));
  // From here on no guard of a previous run has anything to do.
  if (args.resume && !args.skipMain) {
    await checkDisk(places.workDir);
    cleanup.use(await ReleaseGuard.start(places.workDir, config.adjutant.handover_limit));
  }
  const waits = new Waits(clock);
  const backend = await reachEngine(config, places, env, clock, log, signal, waits.of(null));
  // Before the first task is.
  await ensureDefaultImage(config, backend.images, signal);

  const metrics = builderMetrics();
  const { session, sessions } = await openHostSession(args, config, clock, metrics, log, signal);
  try {
    await takeLock(session, args.forceLock, signal);
    return await makeDaemon(
      args,
      config,
      { session, sessions, backend, waits, metrics, log, cleanup },
      signal,
    );
  } catch (error) {
    // The lock would outlive this process and keep the next one out.
    await withDeadline(clock, logoutMs, 'logging out', () => session.logout()).catch((problem: unknown) =>
      log.warn({ err: problem }, 'hub session left open'),
    );
    throw error;
  }
}

/** A slip of the pen among the methods would refuse every task for good. */
function checkAccept({ adjutant }: Config): void {
  const methods = taskMethods();
  const unknown = patternsWithoutMethod(adjutant.accept, methods);
  if (unknown.length === 0) return;
  throw new BuilderError(
    'accept-unknown-method',
    'builder',
    `accept names ${unknown.join(', ')}, and this builder has no such task method; it has ${methods.join(' ')}`,
  );
}

/** How long logging out may take after a start that failed. */
const logoutMs = 20_000;

async function takeLock(session: HubSession, force: boolean, signal: AbortSignal): Promise<void> {
  try {
    await session.exclusiveSession(force, signal);
  } catch (error) {
    if (!isFault(error, faultCodes.authLock)) throw error;
    throw new BuilderError(
      'host-locked',
      'builder',
      'another builder is logged in as this host, or one was killed: stop it, or start with --force-lock',
      { cause: error },
    );
  }
}

async function makeDaemon(
  args: DaemonArguments & { readonly resume: boolean },
  config: Config,
  parts: {
    readonly session: HubSession;
    readonly sessions: SessionFiles;
    readonly backend: ContainerBackend;
    readonly waits: Waits;
    readonly metrics: BuilderMetrics;
    readonly log: Logger;
    readonly cleanup: AsyncDisposableStack;
  },
  signal: AbortSignal,
): Promise<Daemon> {
  const { session, sessions, backend, waits, metrics, log, cleanup } = parts;
  const clock = systemClock;
  const { kojid, adjutant } = config;
  const apis = hubApis(session, clock);
  const host = await apis.host.host(signal);
  const environment: TaskEnvironment = {
    config,
    clock,
    runtime: backend.runtime,
    buildrootHost: await buildrootHost(config, {
      backend,
      clock,
      workDir: adjutant.state_dir,
      log,
      waits,
      meter: metrics,
      workerId: workerIdOf(host.name, adjutant.state_dir),
    }),
    policy: imagePolicy(config, apis.tags, clock),
    files: new HubFiles(kojid.topurl, kojid.topdir, readProxies(process.env)),
    repoNews: new RepoNews(),
    workDir: adjutant.state_dir,
    random: Math.random,
  };
  const events = new BuilderEvents();
  if (adjutant.monitoring_enabled) {
    countEvents(metrics, events);
    const gauges = new CacheGauges(metrics, environment.buildrootHost.cache, clock);
    const health = new Health(events, clock);
    const server = await StatusServer.listen(adjutant.monitoring_bind, {
      async metrics() {
        await gauges.refresh();
        return metrics.render();
      },
      whyNotWell: () => health.whyNotWell(),
    });
    cleanup.use(server);
    log.info({ url: server.url }, 'serving metrics');
  }
  const journal = new TaskJournal(
    join(adjutant.state_dir, 'journal', 'tasks'),
    TaskRecord,
    () => clock.uptime(),
    log,
    taskProgress(adjutant.state_dir),
  );
  return new Daemon({
    session,
    sessions,
    journal,
    environment,
    restarts: new Restarts(join(adjutant.state_dir, 'journal', 'restarts')),
    probe: new HostProbe(backend.runtime, adjutant.state_dir, kojid.minspace * 2 ** 20, clock),
    events,
    settings: {
      sleepMs: kojid.sleeptime * 1000,
      maxJobs: kojid.maxjobs,
      shutdownGraceMs: adjutant.shutdown_grace * 1000,
      shutdown: adjutant.shutdown,
      cacheBudget: await cacheBudget(config),
    },
    log,
    resume: args.resume,
    skipMain: args.skipMain,
    single: args.single,
    debugTask: args.debugTask,
  });
}

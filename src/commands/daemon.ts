import { join } from 'node:path';
import { buildrootHost, cacheBudget } from '../assembly/buildroot-services.ts';
import { reachEngine } from '../assembly/container-engine.ts';
import { ensureDefaultImage } from '../assembly/default-image.ts';
import { hubConnection } from '../assembly/hub-connection.ts';
import { InstanceLock } from '../assembly/instance-lock.ts';
import { ReleaseGuard } from '../assembly/release-guard.ts';
import { checkDisk, makePlaces } from '../assembly/state-directory.ts';
import { type DaemonArguments, logLevelOf } from '../config/command-line.ts';
import { loadConfig } from '../config/load.ts';
import { patternsWithoutMethod } from '../config/options/accept-rules.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import type { ContainerManager } from '../container/manager.ts';
import { workerIdOf } from '../container/names.ts';
import type { Places } from '../container/podman/create/resolve-mounts.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { withDeadline } from '../core/deadline.ts';
import { BuilderError, describeError } from '../core/errors.ts';
import { readProxies } from '../core/host-proxies.ts';
import { createLogger, type Logger } from '../core/logger.ts';
import { printableLines } from '../core/printable.ts';
import { Waits } from '../core/waits.ts';
import { Daemon, exitCode } from '../daemon/daemon.ts';
import { BuilderEvents } from '../daemon/events.ts';
import { HostProbe } from '../daemon/intake/host-probe.ts';
import { TaskHead } from '../daemon/run/task-record.ts';
import type { TaskEnvironment } from '../daemon/run/task-runner.ts';
import { hubApis } from '../hub/api/apis.ts';
import { faultCodes, isFault, SessionLost } from '../hub/faults.ts';
import { HubFiles } from '../hub/files.ts';
import { openSession, resumeSession } from '../hub/session/open-session.ts';
import type { HubSession } from '../hub/session/session.ts';
import { loggedTransport } from '../hub/transport/logged-transport.ts';
import { meteredTransport } from '../hub/transport/metered-transport.ts';
import { Restarts } from '../journal/restarts.ts';
import { SessionFiles } from '../journal/session-files.ts';
import { TaskJournal } from '../journal/task-journal.ts';
import { builderMetrics, countEvents } from '../monitoring/builder-metrics.ts';
import { CacheGauges } from '../monitoring/cache-gauges.ts';
import { Health } from '../monitoring/health.ts';
import type { Metrics } from '../monitoring/metrics.ts';
import { StatusServer } from '../monitoring/status-server.ts';
import { PolicyResolver } from '../policy/resolver.ts';
import { taskMethods } from '../tasks/registry.ts';
import { RepoNews } from '../tasks/repo-news.ts';

/** Runs the daemon until it ends; resolves with its exit code. Everything real is made here. */
export async function runDaemon(
  args: DaemonArguments,
  env: NodeJS.ProcessEnv,
  { goOn = true } = {},
): Promise<number> {
  let config: Config;
  try {
    config = loadConfig({ ...args, env });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) process.stderr.write(`${printableLines(formatProblem(problem))}\n`);
    return exitCode.config;
  }
  const log = createLogger(logLevelOf(args, config));
  for (const warning of config.warnings) log.warn(formatProblem(warning));
  if (args.debugMock) log.warn('--debug-mock has no effect: it is obsolete in kojid, too');
  const starting = new AbortController();
  let daemon: Daemon | null = null;
  let drain = false;
  const stop = () => {
    // Asked twice: whatever takes so long is not waited for.
    if (starting.signal.aborted) process.exit(exitCode.failed);
    starting.abort(new BuilderError('stopped', 'external', 'told to stop while starting'));
    daemon?.stop();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.on('SIGUSR1', () => {
    drain = true;
    daemon?.drain();
  });
  process.on('SIGUSR2', () => {
    if (daemon === null) log.info('the daemon is starting: no task runs yet');
    else
      daemon
        .tellWaits()
        .catch((error: unknown) => log.error({ err: error }, 'cannot tell what is waited for'));
  });
  // A bug of ours in one task must not cost the others their work.
  process.on('unhandledRejection', (error) =>
    log.error({ err: error }, `a failure nobody waited for: ${describeError(error)}`),
  );
  await using cleanup = new AsyncDisposableStack();
  try {
    daemon = await assemble({ ...args, goOn }, config, env, log, cleanup, starting.signal);
    if (starting.signal.aborted) daemon.stop();
    if (drain) daemon.drain();
    return await daemon.run();
  } catch (error) {
    if (starting.signal.aborted) {
      log.info('stopped while starting');
      return exitCode.stopped;
    }
    reportFailedStart(error, log);
    return error instanceof BuilderError && configurationErrors.has(error.code)
      ? exitCode.config
      : exitCode.failed;
  }
}

/** Errors at start that last until somebody changes the configuration: the service manager need not try again. */
const configurationErrors = new Set([
  'auth-config',
  'tls-config',
  'proxy-config',
  'login-failed',
  // Kerberos: no ticket could be had or was taken.
  'hub-login',
  'image-missing',
  'image-denied',
  'bad-spec',
  'workdir-unusable',
  'accept-unknown-method',
]);

/** What somebody has to mend needs no stack; a bug of ours does. */
function reportFailedStart(error: unknown, log: Logger): void {
  const message = `the daemon could not start: ${describeError(error)}`;
  if (error instanceof BuilderError) {
    log.fatal({ code: error.code }, message);
    log.debug({ err: error }, 'where the daemon could not start');
  } else {
    log.fatal({ err: error }, message);
  }
}

async function assemble(
  args: DaemonArguments & { readonly goOn: boolean },
  config: Config,
  env: NodeJS.ProcessEnv,
  log: Logger,
  cleanup: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Daemon> {
  checkAccept(config);
  const clock = systemClock;
  const places = workPlaces(config);
  await makePlaces([join(places.workDir, 'tasks'), places.logDir]);
  cleanup.use(await InstanceLock.take(places.workDir));
  // From here on no guard of an earlier life has anything to do.
  if (args.goOn && !args.skipMain) {
    await checkDisk(places.workDir);
    cleanup.use(await ReleaseGuard.start(places.workDir, config.adjutant.handover_limit));
  }
  const waits = new Waits(clock);
  const { containers } = await reachEngine(config, places, env, clock, log, signal, waits.of(null));
  // Before the first task is.
  await ensureDefaultImage(config, containers, signal);

  const metrics = builderMetrics();
  const { session, sessions } = await login(args, config, clock, metrics, log, signal);
  try {
    await takeLock(session, args.forceLock, signal);
    return await makeDaemon(
      args,
      config,
      { session, sessions, containers, waits, metrics, log, cleanup },
      signal,
    );
  } catch (error) {
    // The lock would outlive this process and keep the next one out.
    await withDeadline(clock, logoutMs, 'logging out', () => session.logout()).catch((problem: unknown) =>
      log.warn({ err: problem }, 'the session with the hub stays open'),
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
  args: DaemonArguments & { readonly goOn: boolean },
  config: Config,
  parts: {
    readonly session: HubSession;
    readonly sessions: SessionFiles;
    readonly containers: ContainerManager;
    readonly waits: Waits;
    readonly metrics: Metrics;
    readonly log: Logger;
    readonly cleanup: AsyncDisposableStack;
  },
  signal: AbortSignal,
): Promise<Daemon> {
  const { session, sessions, containers, waits, metrics, log, cleanup } = parts;
  const clock = systemClock;
  const { kojid, adjutant } = config;
  const apis = hubApis(session, clock);
  const host = await apis.host.host(signal);
  const environment: TaskEnvironment = {
    config,
    clock,
    containers,
    buildrootHost: await buildrootHost(config, {
      ...{ containers, clock, workDir: adjutant.state_dir, log, waits, meter: metrics },
      workerId: workerIdOf(host.name, adjutant.state_dir),
    }),
    policy: new PolicyResolver(
      {
        enabled: adjutant.policy_enabled,
        defaultImage: adjutant.task_image_default,
        defaultPull: adjutant.image_pull_policy,
        cacheTtlMs: adjutant.policy_cache_ttl * 1000,
        mockBootstrapImage: kojid.mock_bootstrap_image,
      },
      async (tagId, event, by) =>
        (await apis.tags.buildConfig(tagId, { event: event ?? null, signal: by })).extra,
      clock,
    ),
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
    log.info({ url: server.url }, 'metrics are shown');
  }
  const journal = new TaskJournal(
    join(adjutant.state_dir, 'journal', 'tasks'),
    TaskHead,
    () => clock.uptime(),
    log,
  );
  return new Daemon({
    ...{ session, sessions, journal, environment },
    restarts: new Restarts(join(adjutant.state_dir, 'journal', 'restarts')),
    probe: new HostProbe(containers, adjutant.state_dir, kojid.minspace * 2 ** 20, clock),
    events,
    settings: {
      sleepMs: kojid.sleeptime * 1000,
      maxJobs: kojid.maxjobs,
      shutdownGraceMs: adjutant.shutdown_grace * 1000,
      shutdown: adjutant.shutdown,
      cacheBudget: await cacheBudget(config),
    },
    log,
    goOn: args.goOn,
    skipMain: args.skipMain,
    single: args.single,
    debugTask: args.debugTask,
  });
}

/**
 * Goes on with the session of an earlier life, or logs in as the configuration says. Throws before anything is sent when
 * a certificate cannot be used.
 */
async function login(
  { debugXmlrpc }: DaemonArguments,
  config: Config,
  clock: Clock,
  metrics: Metrics,
  log: Logger,
  signal: AbortSignal,
): Promise<{ readonly session: HubSession; readonly sessions: SessionFiles }> {
  const { transport: bare, auth, session: retries, expectedUser } = await hubConnection(config);
  const metered = meteredTransport(bare, metrics, clock);
  const transport = debugXmlrpc ? loggedTransport(metered, log.child({}, { level: 'debug' })) : metered;
  const { state_dir: workDir } = config.adjutant;
  const whose = `${config.kojid.server} ${auth.description} ${expectedUser ?? ''}`;
  const sessions = new SessionFiles(join(workDir, 'journal', 'sessions'), whose);
  const options = { ...retries, journal: sessions };
  const [kept] = await sessions.list();
  if (kept !== undefined && kept.master === null) {
    const session = resumeSession(kept, options, auth, clock, transport, log);
    try {
      await hubApis(session, clock).host.host(signal);
      log.info({ sessionId: kept.id }, 'going on with the session of an earlier life');
      return { session, sessions };
    } catch (error) {
      if (!(error instanceof SessionLost)) throw error;
      log.info({ reason: describeError(error) }, 'the session of an earlier life is over, logging in');
    }
  }
  await sessions.clear();
  return { session: await openSession(options, auth, clock, transport, log, signal), sessions };
}

/** Where tasks keep their files: a directory of our own, since kojid's tasks lie in `workdir` itself. */
export function workPlaces({ kojid, adjutant }: Config): Places {
  const workDir = adjutant.state_dir;
  return { workDir, topDir: kojid.topdir, logDir: join(workDir, 'containers') };
}

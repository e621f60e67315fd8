import { assembleDaemon } from '../assembly/daemon.ts';
import { type DaemonArguments, logLevelOf } from '../config/command-line.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import type { ErrorCode } from '../core/error-codes.ts';
import { BuilderError, describeError } from '../core/errors.ts';
import { createLogger, type Logger } from '../core/logger.ts';
import { printableLines } from '../core/printable.ts';
import { type Daemon, exitCode } from '../daemon/daemon.ts';

/** Runs the daemon until it ends; resolves with its exit code. Signals end it, as the configuration says. */
export async function runDaemon(
  args: DaemonArguments,
  env: NodeJS.ProcessEnv,
  { resume = true } = {},
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
    starting.abort(new BuilderError('stopped', 'external', 'interrupted while starting'));
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
        .catch((error: unknown) => log.error({ err: error }, 'cannot report what is waited for'));
  });
  // A bug of ours in one task must not cost the others their work.
  process.on('unhandledRejection', (error) =>
    log.error({ err: error }, `unhandled rejection: ${describeError(error)}`),
  );
  await using cleanup = new AsyncDisposableStack();
  try {
    daemon = await assembleDaemon({ ...args, resume }, config, env, log, cleanup, starting.signal);
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

/** Errors at start that last until the configuration is changed: the service manager need not try again. */
const configurationErrors = new Set<ErrorCode>([
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
  'no-flock',
  'accept-unknown-method',
]);

/** What an operator has to fix needs no stack; a bug of ours does. */
function reportFailedStart(error: unknown, log: Logger): void {
  const message = `the daemon could not start: ${describeError(error)}`;
  if (error instanceof BuilderError) {
    log.fatal({ code: error.code }, message);
    log.debug({ err: error }, 'stack of the failed start');
  } else {
    log.fatal({ err: error }, message);
  }
}

import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { ContainerError } from '../errors.ts';
import { ping } from './socket.ts';

export interface ServiceOptions {
  /** Where the service listens. The kernel takes at most 107 bytes. */
  readonly socketPath: string;
  /** Existing directory for the service's process id and its log. */
  readonly stateDir: string;
  /** The whole environment: PATH, HOME, and CONTAINERS_CONF and CONTAINERS_STORAGE_CONF where they are not the host's. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** How long the service may take to answer after its start, and to end after SIGTERM. */
  readonly timeoutMs: number;
}

export interface PodmanService {
  readonly socketPath: string;
  /** Null when the service that answers was not started here. */
  readonly pid: number | null;
  /** False when there was one already. */
  readonly started: boolean;
}

const longestSocketPath = 107;
const pollMs = 50;

/**
 * A private podman service: the one that answers on the socket, else a new one in a session of its
 * own, so that it outlives this process and its containers are nobody's children. Rejects with
 * `runtime-down` and what the service said when it does not come up.
 */
export async function ensureService(options: ServiceOptions, signal: AbortSignal): Promise<PodmanService> {
  const { socketPath } = options;
  if (Buffer.byteLength(socketPath) > longestSocketPath) {
    throw new ContainerError(
      'bad-spec',
      `the socket path ${socketPath} is longer than ${longestSocketPath} bytes`,
    );
  }
  const pid = await runningPid(options);
  if (await answers(options, signal)) return { socketPath, pid: pid ?? null, started: false };
  if (pid !== undefined) {
    await untilAnswers(options, signal, () => undefined);
    return { socketPath, pid, started: false };
  }
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
  await rm(socketPath, { force: true });
  return { socketPath, pid: await start(options, signal), started: true };
}

/** Ends the service that `ensureService` started; fine when there is none. Its containers go on. */
export async function stopService(options: ServiceOptions): Promise<void> {
  const { clock, timeoutMs, socketPath } = options;
  const deadline = clock.now() + timeoutMs;
  let signalName: NodeJS.Signals = 'SIGTERM';
  for (let pid = await runningPid(options); pid !== undefined; pid = await runningPid(options)) {
    if (clock.now() >= deadline) signalName = 'SIGKILL';
    kill(pid, signalName);
    await clock.sleep(pollMs);
  }
  await rm(pidFile(options), { force: true });
  await rm(socketPath, { force: true });
}

async function start(options: ServiceOptions, signal: AbortSignal): Promise<number> {
  await using log = await open(logFile(options), 'w', 0o600);
  const child = spawn('podman', ['system', 'service', '--time=0', `unix://${options.socketPath}`], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: options.env,
  });
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = new ContainerError('runtime-down', 'cannot run podman: install it, or correct PATH', {
      cause: error,
    });
  });
  child.once('exit', (code, by) => {
    failure = new ContainerError(
      'runtime-down',
      `the podman service ended at once (${by ?? `exit code ${code}`})`,
    );
  });
  child.unref();
  const { pid } = child;
  try {
    if (pid !== undefined) await writeFile(pidFile(options), `${pid}\n`);
    await untilAnswers(options, signal, () => failure);
    if (pid === undefined)
      throw new ContainerError('engine-failed', 'a podman service without a process id answers');
    return pid;
  } catch (error) {
    await stopService(options);
    signal.throwIfAborted();
    const said = (await readFile(logFile(options), 'utf8')).trim().slice(-2000);
    throw new ContainerError(
      'runtime-down',
      `the podman service did not start${said === '' ? '' : `: ${said}`}`,
      {
        cause: error,
      },
    );
  }
}

async function untilAnswers(
  options: ServiceOptions,
  signal: AbortSignal,
  failure: () => Error | undefined,
): Promise<void> {
  const { clock, timeoutMs, socketPath } = options;
  const deadline = clock.now() + timeoutMs;
  while (!(await answers(options, signal))) {
    const failed = failure();
    if (failed !== undefined) throw failed;
    if (clock.now() >= deadline) {
      throw new ContainerError(
        'runtime-down',
        `the podman service on ${socketPath} does not answer; see ${logFile(options)}`,
      );
    }
    await clock.sleep(pollMs, signal);
  }
}

async function answers(options: ServiceOptions, signal: AbortSignal): Promise<boolean> {
  try {
    await ping(options.socketPath, options.clock, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ContainerError && error.code === 'runtime-down') return false;
    throw error;
  }
}

/** The recorded process, if it is alive and serves this socket: process ids are used again. */
async function runningPid(options: ServiceOptions): Promise<number | undefined> {
  const recorded = Number((await textOf(pidFile(options))) ?? Number.NaN);
  if (!Number.isInteger(recorded) || recorded <= 1) return undefined;
  const commandLine = await textOf(`/proc/${recorded}/cmdline`);
  return commandLine?.includes(`unix://${options.socketPath}\0`) ? recorded : undefined;
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    // ESRCH: the process ended between open and read.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
}

function kill(pid: number, signalName: NodeJS.Signals): void {
  try {
    process.kill(pid, signalName);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function pidFile(options: ServiceOptions): string {
  return join(options.stateDir, 'podman-service.pid');
}

function logFile(options: ServiceOptions): string {
  return join(options.stateDir, 'podman-service.log');
}

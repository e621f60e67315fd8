import { spawn } from 'node:child_process';
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { ContainerError } from '../../errors.ts';
import { isOwnProcess } from './host-processes.ts';
import { ping } from './socket.ts';

export interface ServiceOptions {
  /** Where the service listens. The kernel takes at most 107 bytes. */
  readonly socketPath: string;
  /** Where what the service says is kept, from its start on. */
  readonly logPath: string;
  /** The whole environment: PATH, HOME, and CONTAINERS_CONF and CONTAINERS_STORAGE_CONF where they are not the host's. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** How long the service may take to answer after its start, and to end after SIGTERM. */
  readonly timeoutMs: number;
}

export interface PodmanService {
  readonly socketPath: string;
  /** Its processes; a rootless service has two. */
  readonly pids: readonly number[];
  /** False when there was one already. */
  readonly started: boolean;
}

const longestSocketPath = 107;
const pollMs = 50;

/**
 * A private podman service: the one that answers on the socket, else a new one in its own
 * session, so that it outlives this process and its containers are not children of this process. Rejects with
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
  const pids = await serviceProcesses(socketPath);
  if (pids.length > 0 || (await answers(options, signal))) {
    await untilAnswers(options, signal, () => undefined);
    return { socketPath, pids, started: false };
  }
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
  await rm(socketPath, { force: true });
  await start(options, signal);
  return { socketPath, pids: await serviceProcesses(socketPath), started: true };
}

/** Ends the private service on this socket; fine when there is none. Its containers continue. */
export async function stopService(options: ServiceOptions): Promise<void> {
  const { clock, timeoutMs, socketPath } = options;
  let pids = await serviceProcesses(socketPath);
  for (const pid of pids) kill(pid, 'SIGTERM');
  for (const since = clock.uptime(); pids.length > 0; pids = await serviceProcesses(socketPath)) {
    const waitedMs = clock.uptime() - since;
    if (waitedMs >= 2 * timeoutMs)
      throw new ContainerError(
        'runtime-down',
        `the podman service (process ${pids.join(', ')}) does not end`,
      );
    if (waitedMs >= timeoutMs) for (const pid of pids) kill(pid, 'SIGKILL');
    await clock.sleep(pollMs);
  }
  await rm(socketPath, { force: true });
}

async function start(options: ServiceOptions, signal: AbortSignal): Promise<void> {
  await using log = await open(options.logPath, 'w', 0o600);
  const child = spawn('podman', ['system', 'service', '--time=0', toUrl(options.socketPath)], {
    // The service lives longer than the directory it was started from may.
    cwd: '/',
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
  try {
    await untilAnswers(options, signal, () => failure);
  } catch (error) {
    await stopService(options);
    signal.throwIfAborted();
    const said = (await readFile(options.logPath, 'utf8')).trim().slice(-2000);
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
  const deadline = clock.uptime() + timeoutMs;
  while (!(await answers(options, signal))) {
    const failed = failure();
    if (failed !== undefined) throw failed;
    if (clock.uptime() >= deadline) {
      throw new ContainerError(
        'runtime-down',
        `the podman service on ${socketPath} does not answer; see ${options.logPath}`,
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

/** Known by their command line, of this user and in no container: a recorded process id may be another process by now. */
async function serviceProcesses(socketPath: string): Promise<readonly number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const commandLine = (await textOf(`/proc/${name}/cmdline`)) ?? '';
    const isNamed = commandLine.endsWith(`\0system\0service\0--time=0\0${toUrl(socketPath)}\0`);
    if (isNamed && (await isOwnProcess(name))) pids.push(Number(name));
  }
  return pids;
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

function toUrl(socketPath: string): string {
  return `unix://${socketPath}`;
}

import { access, mkdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { ContainerBackend } from '../container/backend.ts';
import { ContainerError } from '../container/errors.ts';
import { ensureService } from '../container/podman/api/service.ts';
import { findSocket } from '../container/podman/api/socket.ts';
import type { HostDirectories } from '../container/podman/create/resolve-mounts.ts';
import type { SeccompChoice } from '../container/podman/create/seccomp.ts';
import { PodmanRuntime } from '../container/podman/podman-runtime.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import { noWaits, type TaskWaits } from '../core/waits.ts';
import { readHostLimits, ulimitsOf } from './ulimits.ts';

/** How long an engine service that is being restarted is waited for. */
const reconnectMs = 30_000;
const serviceTimeoutMs = 20_000;

/** An engine that answers, and how it was reached. */
export interface Engine extends ContainerBackend {
  readonly reached: {
    readonly socketPath: string;
    /** `private`: our own service; `started`: one that was not there before. */
    readonly kind: 'found' | 'private' | 'started';
  };
  /** What containers are filtered with, as the engine says. */
  seccomp(signal: AbortSignal): Promise<SeccompChoice>;
}

/**
 * The container engine: the service whose socket answers, else a private one with the configuration that
 * `scripts/setup.sh` wrote. A socket that the operator named is never replaced by another. The seccomp
 * profile of its containers is written into the worker's area before the first is made.
 */
export async function reachEngine(
  { adjutant }: Config,
  places: HostDirectories,
  env: NodeJS.ProcessEnv,
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
  waits: TaskWaits = noWaits,
): Promise<Engine> {
  const reached = await engineSocket(adjutant.podman_socket, env, clock, log, signal);
  const connection = {
    socketPath: reached.socketPath,
    clock,
    reconnectMs,
    timeoutMs: adjutant.container_timeouts.startMs,
    pullMs: adjutant.container_timeouts.pullMs,
  };
  const runtime = new PodmanRuntime({
    ...connection,
    places,
    logger: log,
    waits,
    ulimits: ulimitsOf(await readHostLimits()),
    seccompPath: join(places.workDir, 'seccomp.json'),
  });
  return { ...runtime.ports, reached, seccomp: (by) => runtime.seccomp(by) };
}

async function engineSocket(
  configured: string | null,
  env: NodeJS.ProcessEnv,
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
): Promise<Engine['reached']> {
  const uid = process.getuid?.() ?? 0;
  const named = configured !== null || (env['CONTAINER_HOST'] ?? '') !== '';
  try {
    const search = { ...(configured === null ? {} : { explicit: configured }), env, uid };
    return { socketPath: await findSocket(search, clock, signal), kind: 'found' };
  } catch (error) {
    if (named || !(error instanceof ContainerError) || error.code !== 'runtime-down') throw error;
    const directory = join(stateDirectory(env, uid), 'engine');
    await mkdir(directory, { recursive: true });
    const service = await ensureService(
      {
        socketPath: join(directory, 'podman.sock'),
        logPath: join(directory, 'podman-service.log'),
        env: { ...env, ...(await engineEnvironment(directory)) },
        clock,
        timeoutMs: serviceTimeoutMs,
      },
      signal,
    );
    log.info({ socket: service.socketPath, started: service.started }, 'using a private podman service');
    return { socketPath: service.socketPath, kind: service.started ? 'started' : 'private' };
  }
}

/** Where `scripts/setup.sh` keeps what belongs to this machine (`scripts/environment.sh`). */
export function stateDirectory(env: NodeJS.ProcessEnv, uid: number): string {
  const chosen = env['KOJI_ADJUTANT_STATE'];
  if (chosen !== undefined && chosen !== '') return chosen;
  if (uid === 0) return '/var/lib/koji-adjutant';
  const xdg = env['XDG_STATE_HOME'];
  return join(
    xdg !== undefined && xdg !== '' ? xdg : join(env['HOME'] ?? homedir(), '.local/state'),
    'koji-adjutant',
  );
}

async function engineEnvironment(directory: string): Promise<Record<string, string>> {
  const file = join(directory, 'env');
  try {
    await access(file);
  } catch {
    // Never set up here: podman's own defaults have to do, as with a plain `podman system service`.
    return {};
  }
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line.includes('='));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

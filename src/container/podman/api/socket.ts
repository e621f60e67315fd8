import type { Clock } from '../../../core/clock.ts';
import { describeError } from '../../../core/errors.ts';
import { ContainerError } from '../../errors.ts';
import { Engine } from './client.ts';
import { checkEngineVersion } from './engine-version.ts';

export interface SocketSearch {
  /** The operator's own setting; if there is one, nothing else is tried. */
  readonly explicit?: string;
  /** The process's environment, of which CONTAINER_HOST and XDG_RUNTIME_DIR count. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}

export interface SocketCandidate {
  readonly path: string;
  /** Where the path comes from, for messages. */
  readonly origin: string;
}

/** Where a podman service may listen, in the order in which it is looked for. Throws `bad-spec` for a setting that is no unix socket. */
export function socketCandidates(search: SocketSearch): readonly SocketCandidate[] {
  if (search.explicit !== undefined) {
    return [{ path: toSocketPath(search.explicit, 'the configuration'), origin: 'the configuration' }];
  }
  const host = search.env['CONTAINER_HOST'];
  if (host !== undefined && host !== '') {
    return [{ path: toSocketPath(host, 'CONTAINER_HOST'), origin: 'CONTAINER_HOST' }];
  }
  if (search.uid === 0) return [{ path: '/run/podman/podman.sock', origin: 'the system service' }];
  const runtimeDir = search.env['XDG_RUNTIME_DIR'] || `/run/user/${search.uid}`;
  return [{ path: `${runtimeDir}/podman/podman.sock`, origin: 'the service of this user' }];
}

/**
 * The first socket that answers. Rejects with `runtime-down` and a message that names all that were
 * tried, and why not, and with `bad-spec` when what answers is no podman that is supported.
 */
export async function findSocket(search: SocketSearch, clock: Clock, signal: AbortSignal): Promise<string> {
  const failures: string[] = [];
  for (const { path, origin } of socketCandidates(search)) {
    try {
      await ping(path, clock, signal);
      return path;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ContainerError) || error.code !== 'runtime-down') throw error;
      failures.push(`${path} (${origin}): ${describeError(error)}`);
    }
  }
  throw new ContainerError('runtime-down', `no podman service answers: ${failures.join('; ')}`);
}

/**
 * Rejects with `runtime-down` unless a podman service answers on this socket within two seconds, and with `bad-spec` when
 * it is not supported.
 */
export async function ping(socketPath: string, clock: Clock, signal: AbortSignal): Promise<void> {
  const engine = new Engine({ socketPath, clock, timeoutMs: 2000, reconnectMs: 0 });
  const headers = await engine.head({
    what: `reach podman on ${socketPath}`,
    method: 'GET',
    path: '/_ping',
    ok: [200],
    signal,
  });
  checkEngineVersion(headers, socketPath);
}

function toSocketPath(setting: string, origin: string): string {
  const path = setting.replace(/^unix:\/\//, '');
  if (!path.startsWith('/')) {
    throw new ContainerError(
      'bad-spec',
      `${origin} names ${JSON.stringify(setting)}, which is not a unix socket: containers get files of this host, so podman has to run here; use unix:///path/to/podman.sock`,
    );
  }
  return path;
}

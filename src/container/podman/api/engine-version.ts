import { ContainerError } from '../../errors.ts';

/** The oldest Podman that is tried with each change. */
export const oldestPodman = '4.3';

/**
 * Refuses an engine that builds are not tried with, by the headers of its answer to `_ping`: one that is no Podman, and
 * a Podman older than `oldestPodman`. Throws `bad-spec`, with what to change.
 */
export function checkEngineVersion(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  socketPath: string,
): void {
  const version = headers['libpod-api-version'];
  if (typeof version !== 'string') {
    const server = typeof headers['server'] === 'string' ? ` (${headers['server']})` : '';
    throw new ContainerError(
      'bad-spec',
      `what answers on ${socketPath} is not podman${server}: name the socket of podman with podman_socket or CONTAINER_HOST`,
    );
  }
  if (isOlder(version, oldestPodman)) {
    throw new ContainerError(
      'bad-spec',
      `podman ${version} on ${socketPath} is older than ${oldestPodman}, the oldest that is supported: update podman and start its service again`,
    );
  }
}

/** Compares major and minor version. */
function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number.parseFloat);
  const [leastMajor = 0, leastMinor = 0] = than.split('.').map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

import { access } from 'node:fs/promises';
import type { Isolation } from '../spec.ts';
import type { RuntimeInfo } from '../step-runtime.ts';
import type { EngineInfo } from './api/schema.ts';

/** What Podman keeps containers apart with here. */
export const podmanIsolations: readonly Isolation[] = ['plain'];

/** What an engine says of itself, in the words of the port. Looks whether its directories are on this host. */
export async function toRuntimeInfo({ host, store, version }: EngineInfo): Promise<RuntimeInfo> {
  const { rootless } = host.security;
  const controllers = host.cgroupControllers ?? [];
  const missing = ['memory', 'pids', 'cpu'].filter((name) => !controllers.includes(name));
  const limitsEnforced =
    !(rootless && host.cgroupVersion === 'v1') &&
    ['memory', 'pids'].every((name) => controllers.includes(name));
  return {
    name: 'podman',
    version: version.Version,
    rootless,
    storageDriver: store.graphDriverName,
    cgroupVersion: host.cgroupVersion,
    limitsEnforced,
    isolations: podmanIsolations,
    storagePath: await existingPath(store.graphRoot),
    details: {
      runtime: host.ociRuntime?.name ?? null,
      fuse: 'overlay.mount_program' in (store.graphOptions ?? {}),
      storageOn: {
        fileSystem: store.graphStatus?.['Backing Filesystem'] ?? null,
        hasFileTypes: toTruth(store.graphStatus?.['Supports d_type']),
      },
      missingControllers: missing,
      runPath: await existingPath(store.runRoot),
      freeLocks: host.freeLocks ?? null,
    },
  };
}

/** What podman says as a text; null when it says nothing. */
function toTruth(text: string | undefined): boolean | null {
  return text === undefined ? null : text === 'true';
}

/** The path if it is on this host and may be looked at. */
async function existingPath(path: string | null | undefined): Promise<string | null> {
  if (path === null || path === undefined) return null;
  try {
    await access(path);
    return path;
  } catch {
    return null;
  }
}

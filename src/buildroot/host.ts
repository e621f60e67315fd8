import type { FailedRoots } from '../cache/failed-roots.ts';
import type { Fetcher } from '../cache/fetcher.ts';
import type { MetadataCache } from '../cache/metadata-cache.ts';
import type { PackageCache } from '../cache/package-cache.ts';
import type { SnapshotStore } from '../cache/snapshot-store.ts';
import type { SolverCache } from '../cache/solver-cache.ts';
import type { ContainerBackend } from '../container/backend.ts';
import type { BackgroundRemovals } from '../container/background-removals.ts';
import type { ContainerSpec, Mount, ResourceLimits } from '../container/spec.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Meter } from '../core/meter.ts';
import type { Waits } from '../core/waits.ts';
import type { HostNetwork } from './plan/host-network.ts';
import type { SiteSettings } from './plan/mock-environment.ts';
import type { SiteGrants } from './plan/site-rules.ts';

/** What all buildroots of one worker share. */
export interface BuildrootHost extends ContainerBackend {
  readonly clock: Clock;
  readonly meter: Meter;
  /** For what is wrong with this host; what a build is about is in the logs of its task. */
  readonly log: Logger;
  readonly waits: Waits;
  readonly site: SiteSettings;
  readonly workerId: string;
  readonly hostname: string;
  /** For containers with the host's network. */
  readonly network: HostNetwork;
  /** Target of the host's /etc/localtime, which mock passes on; null when there is none. */
  readonly localTime: string | null;
  readonly limits: ResourceLimits;
  readonly stepLimits: StepLimits;
  /** Further limits of containers that run package code. */
  readonly codeLimits: Partial<ResourceLimits>;
  readonly labels: Readonly<Record<string, string>>;
  readonly cache: BuildrootCache;
  readonly removals: BackgroundRemovals;
  /** The operator's own mounts for containers that run package code. */
  readonly extraMounts: readonly Mount[];
  /** What else the operator opens to them. */
  readonly granted?: Pick<ContainerSpec, 'devices' | 'seccompProfile' | 'userNamespaces'>;
}

/** How long steps may take that run no code of the package that is built, in seconds; 0: as long as they like. */
export interface StepLimits {
  readonly solveSeconds: number;
  readonly installSeconds: number;
  readonly createrepoSeconds: number;
}

/** What was prepared before and may be used again. */
export interface BuildrootCache {
  readonly snapshots: SnapshotStore;
  readonly packages: PackageCache;
  readonly solutions: SolverCache;
  readonly metadata: MetadataCache;
  /** Roots of failed builds. */
  readonly failed: FailedRoots;
  /** Reads repos as all of this does. */
  readonly urls: Fetcher;
}

/** The host with all of it granted to containers that run package code. */
export function withGrants(host: BuildrootHost, grants: SiteGrants): BuildrootHost {
  const { devices, mounts, limits, seccompProfile, userNamespaces } = grants;
  const { ulimits } = limits;
  const targets = new Set(mounts.map(({ target }) => target));
  return {
    ...host,
    extraMounts: [...host.extraMounts.filter(({ target }) => !targets.has(target)), ...mounts],
    codeLimits: {
      ...host.codeLimits,
      ...limits,
      ...(ulimits !== undefined && { ulimits: { ...host.limits.ulimits, ...ulimits } }),
    },
    granted: {
      ...(devices.length > 0 && { devices }),
      ...(seccompProfile !== null && { seccompProfile }),
      ...(userNamespaces && { userNamespaces }),
    },
  };
}

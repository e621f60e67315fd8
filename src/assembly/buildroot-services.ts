import { readFile, readlink, statfs } from 'node:fs/promises';
import { hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import type { BuildrootCache, BuildrootHost } from '../buildroot/host.ts';
import type { CacheBudget } from '../cache/eviction.ts';
import { FailedRoots } from '../cache/failed-roots.ts';
import { Fetcher } from '../cache/fetcher.ts';
import { MetadataCache } from '../cache/metadata-cache.ts';
import { PackageCache } from '../cache/package-cache.ts';
import { SnapshotStore } from '../cache/snapshot-store.ts';
import { SolverCache } from '../cache/solver-cache.ts';
import { leastLimits } from '../config/options/adjutant.ts';
import type { Config } from '../config/schema.ts';
import type { ContainerBackend } from '../container/backend.ts';
import { BackgroundRemovals } from '../container/background-removals.ts';
import type { ResourceLimits } from '../container/spec.ts';
import type { Clock } from '../core/clock.ts';
import { readProxies, repoProxies } from '../core/host-proxies.ts';
import { readHostTrust, toBundle } from '../core/host-trust.ts';
import type { Logger } from '../core/logger.ts';
import { type Meter, noMeter } from '../core/meter.ts';
import type { Waits } from '../core/waits.ts';
import { fullHostName } from './build-host-name.ts';
import { configuredUlimits, readHostLimits } from './ulimits.ts';

export interface BuildrootHostParts {
  readonly backend: ContainerBackend;
  readonly clock: Clock;
  /** Marks the containers. */
  readonly workerId: string;
  /** The worker's own area; what was prepared before lies below it, and outlives the worker. */
  readonly workDir: string;
  readonly log: Logger;
  /** Its proxies and trust store count; left out: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Counts what buildroots take; left out: not counted. */
  readonly meter?: Meter;
  /** Where it is recorded what is waited for. */
  readonly waits: Waits;
}

/** What all buildroots of this host share, by its configuration. */
export async function buildrootHost(
  config: Config,
  { backend, clock, workerId, workDir, log, waits, env = process.env, meter = noMeter }: BuildrootHostParts,
): Promise<BuildrootHost> {
  const { kojid, adjutant } = config;
  return {
    ...backend,
    clock,
    meter,
    log,
    waits,
    workerId,
    hostname: hostname(),
    network: { caBundle: toBundle(await readHostTrust(env)), proxies: readProxies(env) },
    localTime: await readlink('/etc/localtime').catch(() => null),
    site: {
      vendor: kojid.vendor,
      packager: kojid.packager,
      distribution: kojid.distribution,
      mockHost: kojid.mockhost,
      buildHost: await fullHostName(),
      proxy: kojid.yum_proxy,
      rpmbuildTimeoutSeconds: kojid.rpmbuild_timeout,
    },
    limits: await containerLimits(config),
    stepLimits: {
      solveSeconds: adjutant.solve_timeout,
      installSeconds: adjutant.install_timeout,
      createrepoSeconds: adjutant.createrepo_timeout,
    },
    codeLimits: {
      ...(adjutant.build_disk === null ? {} : { diskBytes: adjutant.build_disk }),
      ...(adjutant.build_log_limit === null ? {} : { logBytes: adjutant.build_log_limit }),
      ...(adjutant.build_idle_timeout === 0 ? {} : { idleMs: adjutant.build_idle_timeout * 1000 }),
    },
    removals: new BackgroundRemovals(log),
    cache: openCache(config, { backend, workDir, clock, log, env }),
    labels: adjutant.container_labels,
    extraMounts: adjutant.container_mounts.map((mount) => ({ kind: 'host', ...mount })),
  };
}

/** The limits of each container. */
export async function containerLimits({ kojid, adjutant, rlimits }: Config): Promise<ResourceLimits> {
  const ulimits = configuredUlimits(rlimits, await readHostLimits());
  return {
    pids: adjutant.build_pids ?? (await fairPids(kojid.maxjobs)),
    shmBytes: adjutant.shm_size ?? Math.floor(totalmem() / 2),
    ...(adjutant.build_memory === null ? {} : { memoryBytes: adjutant.build_memory }),
    ...(adjutant.build_cpus === null ? {} : { cpus: adjutant.build_cpus }),
    ...(Object.keys(ulimits).length === 0 ? {} : { ulimits }),
  };
}

/** So that builds that all take what they may leave half of the host's process ids to it: they are the same user, whose limits are shared. */
async function fairPids(maxJobs: number): Promise<number> {
  const most = Number(await readFile('/proc/sys/kernel/pid_max', 'utf8'));
  return Math.max(leastLimits.pids, Math.min(mostPids, Math.floor(most / (2 * Math.max(1, maxJobs)))));
}

/** Where the host's own limit is out of sight. */
const mostPids = 16_384;

/** How much may be kept of it: as configured, else by the size of the disk. */
export async function cacheBudget({ adjutant }: Config): Promise<CacheBudget> {
  const { blocks, bsize } = await statfs(adjutant.state_dir);
  const diskBytes = blocks * bsize;
  return {
    snapshotBytes: adjutant.snapshot_budget ?? diskBytes / 5,
    packageBytes: adjutant.package_budget ?? diskBytes / 10,
    failedBytes: adjutant.failed_buildroot_budget ?? diskBytes / 10,
    solutions: 5000,
  };
}

/** What was prepared before, below a worker's area. */
export function openCache(
  { kojid }: Pick<Config, 'kojid'>,
  {
    backend,
    workDir,
    clock,
    log,
    env = process.env,
  }: Pick<BuildrootHostParts, 'backend' | 'workDir' | 'clock' | 'log' | 'env'>,
): BuildrootCache {
  const urls = new Fetcher(repoProxies(kojid.yum_proxy, readProxies(env)), clock);
  const place = (name: string) => join(workDir, 'cache', name);
  const snapshots = new SnapshotStore(backend.roots, place('snapshots'), log);
  const lifetimeMs = Math.max(0, kojid.failed_buildroot_lifetime) * 1000;
  return {
    snapshots,
    failed: new FailedRoots(backend.runtime, {
      directory: place('failed'),
      lifetimeMs,
      clock,
      log,
    }),
    packages: new PackageCache(place('packages'), urls, clock),
    solutions: new SolverCache(place('solutions')),
    metadata: new MetadataCache(place('metadata')),
    urls,
  };
}

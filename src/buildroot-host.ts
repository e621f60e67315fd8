import { readlink } from 'node:fs/promises';
import { hostname, totalmem } from 'node:os';
import type { BuildrootHost } from './buildroot/containers.ts';
import type { Config } from './config/schema.ts';
import type { ContainerManager } from './container/manager.ts';
import type { Clock } from './core/clock.ts';
import { fullHostName } from './full-host-name.ts';
import { configuredUlimits, readHostLimits } from './host-limits.ts';

/** What all buildroots of this host share, by its configuration. `workerId` marks the containers. */
export async function buildrootHost(
  config: Config,
  containers: ContainerManager,
  clock: Clock,
  workerId: string,
): Promise<BuildrootHost> {
  const { kojid, adjutant, rlimits } = config;
  const ulimits = configuredUlimits(rlimits, await readHostLimits());
  return {
    containers,
    clock,
    workerId,
    hostname: hostname(),
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
    limits: {
      pids: adjutant.build_pids,
      shmBytes: adjutant.shm_size ?? Math.floor(totalmem() / 2),
      ...(adjutant.build_memory === null ? {} : { memoryBytes: adjutant.build_memory }),
      ...(adjutant.build_cpus === null ? {} : { cpus: adjutant.build_cpus }),
      ...(Object.keys(ulimits).length === 0 ? {} : { ulimits }),
    },
    labels: adjutant.container_labels,
    extraMounts: adjutant.container_mounts.map((mount) => ({ kind: 'host', ...mount })),
  };
}

import { availableParallelism } from 'node:os';
import type { ResourceLimits } from '../../container/spec.ts';
import type { BuildrootHost } from '../host.ts';

/** What rpm takes a process of a build for (`%_smp_tasksize_proc`, rpm 4.16 and later), where it asks for the memory of the host. */
const taskBytes = 512 * 1024 * 1024;

/**
 * How many processes a build may start at a time, so that its limits of processors and memory hold them: at least one. Null
 * where these limit no more than the host has, of which rpm knows by itself. `processors`: those of the host.
 */
export function parallelism(
  { cpus, memoryBytes }: Pick<ResourceLimits, 'cpus' | 'memoryBytes'>,
  processors = availableParallelism(),
): number | null {
  const fitting = Math.min(
    Math.ceil(cpus ?? processors),
    Math.floor((memoryBytes ?? Number.POSITIVE_INFINITY) / taskBytes),
  );
  return fitting < processors ? Math.max(fitting, 1) : null;
}

/** How many processes the limits of package code hold; null where they hold all that the host has processors for. */
export function processesOf({
  limits,
  codeLimits,
}: Pick<BuildrootHost, 'limits' | 'codeLimits'>): number | null {
  return parallelism({ ...limits, ...codeLimits });
}

import type { ResourceLimits } from '../../spec.ts';

/** The runtime's own threads count until the container's program takes their place. */
const fewProcesses = 16;

/** What to do about a container that does not start for the host's configuration or its own limits; else nothing. */
export function startHint(message: string, limits: Pick<ResourceLimits, 'pids'>): string {
  if (/memory limit/i.test(message))
    return '; the memory limit is smaller than what a container needs to start: raise it';
  if (/rlimit/i.test(message)) {
    return '; the ulimits are higher than this host allows: lower them, or raise the hard limits of the engine service';
  }
  if (/cannot allocate memory/i.test(message))
    return '; a container cannot start with so little memory: raise the ulimits of address space and data, or the memory limit';
  if (/cgroup/i.test(message)) {
    return '; see runtime and cgroup_manager in containers.conf(5): they have to fit the cgroups of this host';
  }
  // The runtime could not say more.
  if (/exit status \d+$/.test(message) && limits.pids < fewProcesses)
    return `; it may need more than its limit of ${limits.pids} processes to start: raise it`;
  return '';
}

/**
 * What to do about a container that cannot be made because the engine does not find a file that is here: it runs on another
 * machine, or in its own mount namespace. Callers have looked that the sources of mounts exist.
 */
export function createHint(message: string): string {
  return /(seccomp profile|statfs|stat) .*no such file or directory/i.test(message)
    ? '; the engine has to run on this host and see its files: name its socket with podman_socket or CONTAINER_HOST'
    : '';
}

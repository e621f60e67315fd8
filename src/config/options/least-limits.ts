/**
 * What each container needs at the least: with less memory an OCI runtime cannot start one, with fewer processes rpmbuild
 * cannot run a shell, and a smaller share of processors the kernel does not take.
 */
export const leastLimits = { memoryBytes: 4 * 2 ** 20, pids: 4, cpus: 0.01 } as const;

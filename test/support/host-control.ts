import type { HostControl } from '../../src/tasks/host-control/control.ts';

/** For registries whose tasks about the daemon nobody runs. */
export const noControl: HostControl = {
  stopAfter: () => undefined,
  restartAfter: async () => undefined,
  hasRestartedSince: async () => null,
};

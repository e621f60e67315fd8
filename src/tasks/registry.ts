import type { TaskAdapter } from './adapter.ts';
import { build } from './build/index.ts';
import { buildArch } from './build-arch/index.ts';
import { createrepo } from './createrepo/index.ts';
import type { HostControl } from './host-control/control.ts';
import { restartHosts, restartTask, restartVerifyTask, shutdownTask } from './host-control/index.ts';
import { newRepo } from './new-repo/index.ts';
import { buildNotification, tagNotification } from './notifications/index.ts';
import { rebuildSrpm } from './rebuild-srpm/index.ts';
import { tagBuild } from './tag-build/index.ts';
import { defaultTask, fork, sleep, subtask, waitTest } from './test-tasks/index.ts';
import { waitRepo } from './wait-repo/index.ts';

/** Every task method this builder has, by name. A new kind of task is one line here. */
export function taskRegistry(control: HostControl): ReadonlyMap<string, TaskAdapter> {
  const adapters: readonly TaskAdapter[] = [
    erase(build),
    erase(buildArch),
    erase(buildNotification),
    erase(createrepo),
    erase(newRepo),
    erase(rebuildSrpm),
    erase(tagBuild),
    erase(tagNotification),
    erase(waitRepo),
    erase(sleep),
    erase(fork),
    erase(waitTest),
    erase(subtask),
    erase(defaultTask),
    erase(restartHosts),
    restartTask(control),
    restartVerifyTask(control),
    shutdownTask(control),
  ];
  return new Map(adapters.flatMap((adapter) => adapter.methods.map((method) => [method, adapter] as const)));
}

/** Names of the methods that this builder has. */
export function taskMethods(): readonly string[] {
  const nothing: HostControl = {
    stopAfter: () => undefined,
    restartAfter: async () => undefined,
    hasRestartedSince: async () => null,
  };
  return [...taskRegistry(nothing).keys()];
}

/** Forgets the parameter type: callers of `run` give it what the adapter's own schema returned. */
function erase<P>(adapter: TaskAdapter<P>): TaskAdapter {
  return adapter as TaskAdapter;
}

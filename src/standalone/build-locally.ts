import { BuildEnvironment } from '../buildroot/build-environment.ts';
import type { BuildrootHost } from '../buildroot/host.ts';
import type { RootRequest } from '../buildroot/plan/root-request.ts';
import { describeHardware } from '../buildroot/report/hardware.ts';
import { type InstalledPackage, renderInstalledLog } from '../buildroot/root/installed-packages.ts';
import { rootTask } from '../buildroot/steps/root-context.ts';
import type { RootLogs, RootProgress } from '../buildroot/steps/root-logs.ts';
import { addPackageManagerLogs, StepLogs } from '../buildroot/steps/step-logs.ts';
import { below } from '../core/below.ts';
import type { Clock } from '../core/clock.ts';
import type { LogSink } from '../core/log-sink.ts';
import type { Logger } from '../core/logger.ts';
import { noHistory } from '../journal/history.ts';
import { TaskLogs } from '../logs/task-logs.ts';

/** One source package to be built for one arch. */
export interface LocalBuildRequest {
  /** The source package, on this host. */
  readonly source: string;
  /** What the root is made of, and where; its directory exists. The logs lie in it, too. */
  readonly root: RootRequest;
}

export interface BuildStep {
  /** As `state.log` calls it: `fetch packages for @build`. */
  readonly name: string;
  readonly tookMs: number;
}

/** A viewer of a running build. */
export interface BuildWatcher {
  /** A step begins or ends; its name is as in `state.log`. */
  step(name: string, at: 'start' | 'finish'): void;
  /** A log has grown. */
  output(log: 'root' | 'build', bytes: Uint8Array | string): void;
  progress(news: RootProgress): void;
}

/** What a build has left on this host. */
export interface LocalBuild {
  /** Absolute paths. */
  readonly rpms: readonly string[];
  readonly srpms: readonly string[];
  /** The root with its group's packages only, and as rpmbuild found it. */
  readonly groupPackages: readonly InstalledPackage[];
  readonly installed: readonly InstalledPackage[];
  /** Things among the results that were no packages, with the reason why they were left. */
  readonly passedOver: readonly string[];
  readonly steps: readonly BuildStep[];
}

/**
 * Builds a source package as a buildArch task does, step by step with the same code, but without a hub: no
 * buildroot is recorded and nothing is uploaded. The image is there already and the tag's settings are checked.
 * Containers go with `cleanup`; the logs are open afterwards, for the caller to add to and to finish. Rejects
 * with `BuildrootStepFailed` when package or repo are to blame.
 */
export async function buildLocally(
  host: BuildrootHost,
  { source, root: request }: LocalBuildRequest,
  logs: TaskLogs,
  log: Logger,
  cleanup: AsyncDisposableStack,
  signal: AbortSignal,
  watcher: BuildWatcher | null = null,
): Promise<LocalBuild> {
  const directory = request.directory.absolute;
  await logs.write('hw_info.log', await describeHardware(directory), 'watched');
  const stepLogs = await StepLogs.open(logs, host.clock, log);
  const steps: BuildStep[] = [];
  try {
    const root = await BuildEnvironment.prepare(
      host,
      request,
      recorded(stepLogs, steps, watcher),
      rootTask(host, request.taskId, noHistory, cleanup),
      signal,
    );
    const groupPackages = root.installed;
    await root.bringSource(source);
    const { rpms, srpms, passedOver } = await root.buildPackage(() => undefined, signal);
    await logs.write('installed_pkgs.log', renderInstalledLog(root.installed), 'watched');
    const absolute = (name: string): string => below(directory, 'results', name);
    return {
      rpms: rpms.map(absolute),
      srpms: srpms.map(absolute),
      passedOver,
      groupPackages,
      installed: root.installed,
      steps,
    };
  } finally {
    await addPackageManagerLogs(directory, logs);
  }
}

/** The same logs, with the time that each step took recorded, and a viewer. */
function recorded(logs: StepLogs, steps: BuildStep[], watcher: BuildWatcher | null): RootLogs {
  const seen = (name: 'root' | 'build'): LogSink => ({
    async write(bytes) {
      await logs[name].write(bytes);
      watcher?.output(name, bytes);
    },
  });
  return {
    root: seen('root'),
    build: seen('build'),
    async step(name, at) {
      await logs.step(name, at);
      watcher?.step(name, at);
    },
    progress: (news) => watcher?.progress(news),
    took(name, stepMs, ranMs, firstOutputMs) {
      steps.push({ name, tookMs: stepMs });
      logs.took(name, stepMs, ranMs, firstOutputMs);
    },
  };
}

/** Logs of a build that no hub hears of: the same files, in `directory`, and nothing is sent. */
export function openLocalLogs(directory: string, clock: Clock, log: Logger): TaskLogs {
  const stayHere = {
    resume: async () => undefined,
    push: async () => undefined,
    finish: async () => undefined,
  };
  return new TaskLogs(directory, () => stayHere, clock, log);
}

import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type BuildInputs, beginRoot } from '../../buildroot/build-inputs.ts';
import { BuildrootStepFailed } from '../../buildroot/errors.ts';
import type { BuildrootHost } from '../../buildroot/host.ts';
import type { PackageRepo } from '../../buildroot/plan/repos.ts';
import type { RootRequest } from '../../buildroot/plan/root-request.ts';
import { below } from '../../core/below.ts';
import type { Logger } from '../../core/logger.ts';
import type { ImageChoice } from '../../policy/resolver.ts';
import type { TagExtra } from '../../policy/tag-extra-cache.ts';
import { type BuildWatcher, buildLocally, openLocalLogs } from '../build-locally.ts';

/** A source package to be built, and with what. */
export interface RebuildOrder {
  /** Path of the source package. */
  readonly source: string;
  readonly repos: readonly PackageRepo[];
  /** Package group that the root starts from, and packages in its place. */
  readonly group: string;
  readonly packages?: readonly string[];
  readonly arch: string;
  /** Macros and the like, as a tag's settings: `rpm.macro.dist`. */
  readonly extra: TagExtra;
  readonly image: ImageChoice;
  readonly imageDigest: string;
  /** Where packages and logs go. */
  readonly result: string;
}

/** What has become of it. Paths are absolute. */
export type Rebuilt =
  | {
      readonly kind: 'built';
      readonly packages: readonly string[];
      readonly logs: readonly string[];
      /** Things among the results that were no packages, with the reason why they were left. */
      readonly passedOver: readonly string[];
    }
  | {
      readonly kind: 'failed';
      readonly failure: BuildrootStepFailed;
      /** The log to read. */
      readonly log: string;
      readonly lastLines: readonly string[];
    };

export interface RebuildContext {
  readonly host: BuildrootHost;
  /** For the names of containers. */
  readonly id: number;
  /** An empty directory of the worker's area. */
  readonly directory: RootRequest['directory'];
  readonly log: Logger;
  /** What the operator's site file opens on the host, for the log. */
  readonly granted: readonly string[];
}

const shownLines = 20;

/** The logs that a build may leave; nothing else in its directory is ours to remove. */
const ourLogs =
  /^(mock_config|hw_info|root|build|state|mock_output|installed_pkgs|dnf5?(\.librepo|\.rpm)?)\.log$/;

/**
 * Builds a source package with the code that a buildArch task runs, without a hub. Logs are in the result directory
 * from the beginning, packages when it has succeeded. No container is left. Rejects when package and repos are not to
 * blame.
 */
export async function rebuild(
  { host, id, directory, log, granted }: RebuildContext,
  order: RebuildOrder,
  watcher: BuildWatcher,
  signal: AbortSignal,
): Promise<Rebuilt> {
  const { source, result, imageDigest, ...rest } = order;
  const repo = { id: 0, tagName: 'rebuild' };
  const inputs: BuildInputs = { ...rest, packageArch: order.arch, host, repo, granted };
  await mkdir(result, { recursive: true });
  await removeFormerLogs(result);
  const logs = openLocalLogs(result, host.clock, log);
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => logs.finish(signal));
  const request = await beginRoot(inputs, { taskId: 0, buildrootId: id, imageDigest, directory }, logs);
  try {
    const build = await buildLocally(host, { source, root: request }, logs, log, cleanup, signal, watcher);
    await cleanup.disposeAsync();
    const kept: string[] = [];
    for (const path of [...build.srpms, ...build.rpms]) {
      const target = below(result, basename(path));
      await copyFile(path, target);
      kept.push(target);
    }
    const inResult = logs.uploaded.map((name) => join(result, name));
    return { kind: 'built', packages: kept, logs: inResult, passedOver: build.passedOver };
  } catch (error) {
    if (!(error instanceof BuildrootStepFailed)) throw error;
    await cleanup.disposeAsync();
    const path = join(result, error.readsRootLog ? 'root.log' : 'build.log');
    const text = await readFile(path, 'utf8');
    return {
      kind: 'failed',
      failure: error,
      log: path,
      lastLines: text.trimEnd().split('\n').slice(-shownLines),
    };
  }
}

async function removeFormerLogs(result: string): Promise<void> {
  for (const name of await readdir(result)) if (ourLogs.test(name)) await rm(join(result, name));
}

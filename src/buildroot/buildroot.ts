import { asksForChannel, type SiteFile } from '../config/site-file.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { BuildrootsApi } from '../hub/api/buildroots.ts';
import type { HostApi } from '../hub/api/host.ts';
import type { RepoInfo } from '../hub/api/repo-schema.ts';
import type { ReposApi } from '../hub/api/repos.ts';
import { repoStateName, repoStates, type TagInfo } from '../hub/api/schema.ts';
import type { TagsApi } from '../hub/api/tags.ts';
import type { HubFiles } from '../hub/files.ts';
import type { TaskLogs } from '../logs/task-logs.ts';
import type { PolicyResolver } from '../policy/resolver.ts';
import { BuildEnvironment } from './build-environment.ts';
import {
  type BuildRequest,
  type BuildSources,
  beginRoot,
  ensureBuildImage,
  grantAccess,
  planBuild,
} from './build-inputs.ts';
import { BuildrootStepFailed, BuildrootUnavailable } from './errors.ts';
import type { BuildrootHost } from './host.ts';
import { describeHardware } from './report/hardware.ts';
import { HubBuildroot } from './report/hub-record.ts';
import { listPackages, type RepoContent, readRepoContent } from './report/repo-content.ts';
import { type ListedPackage, renderInstalledLog } from './root/installed-packages.ts';
import type { RootTask } from './steps/root-context.ts';
import { addPackageManagerLogs, StepLogs } from './steps/step-logs.ts';

/** What a buildroot needs of its task. */
export interface BuildrootContext extends RootTask {
  readonly task: { readonly id: number; readonly method: string };
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly hub: {
    readonly buildroots: BuildrootsApi;
    readonly host: HostApi;
    readonly repos: ReposApi;
    readonly tags: TagsApi;
  };
  readonly files: HubFiles;
  readonly directory: { readonly absolute: string; readonly work: string };
  readonly buildrootHost: BuildrootHost;
  readonly policy: PolicyResolver;
  readonly logs: TaskLogs;
  readonly settings: {
    readonly mockBootstrapImage: boolean;
    readonly networkEnabled: boolean;
    readonly site: SiteFile | null;
  };
}

export interface BuildrootRequest extends Omit<BuildRequest, 'method'> {
  /** Name of the source package. */
  readonly packageName: string;
}

/**
 * A buildroot from registration on the hub to EXPIRED: record, image, root, package list and logs, in the
 * order and with the messages of kojid (`builder/kojid BuildRoot`).
 */
export class Buildroot {
  readonly record: HubBuildroot;
  readonly root: BuildEnvironment;
  readonly #context: BuildrootContext;
  readonly #content: RepoContent;
  #reported: Promise<void> = Promise.resolve();

  private constructor(
    context: BuildrootContext,
    record: HubBuildroot,
    root: BuildEnvironment,
    content: RepoContent,
  ) {
    this.#context = context;
    this.record = record;
    this.root = root;
    this.#content = content;
  }

  /** Makes the root with its group's packages. Everything made is on the task's clean-up stack. */
  static async open(context: BuildrootContext, question: BuildrootRequest): Promise<Buildroot> {
    const { task, signal, hub, logs, log, directory, cleanup, history } = context;
    checkRepo(question.repo, question.config);
    const inputs = await planBuild(
      { ...question, method: task.method },
      sourcesOf(context, question),
      signal,
    );
    const { image, repo, granted, content: place } = inputs;
    const record = await HubBuildroot.register(hub.buildroots, repo.id, place.arch, task.id, signal);
    cleanup.use(record);
    log.info({ buildrootId: record.id, image: image.image, because: image.because }, 'buildroot registered');
    if (image.network === true)
      log.warn({ because: image.because }, 'the build has the network of this host');
    const imageDigest = await ensureBuildImage(inputs, context.buildrootHost.images, signal, history);
    const root = { taskId: task.id, buildrootId: record.id, imageDigest, directory };
    const request = await beginRoot(inputs, root, logs);
    await logs.write('hw_info.log', await describeHardware(directory.absolute), 'watched');
    const steps = await StepLogs.open(logs, context.clock, context.log);
    for (const line of granted) await steps.root.write(`opened by the site file: ${line}\n`);
    if (image.network === true)
      await steps.root.write(`opened by a policy: the network of this host (${image.because})\n`);
    // Of a root that could not be made these are wanted most.
    cleanup.defer(async () => {
      if (!signal.aborted) await addPackageManagerLogs(directory.absolute, logs);
    });
    const content = readRepoContent(context.files, hub.repos, place, signal);
    // It is awaited below; until then a failure of the preparation comes first.
    content.catch(() => undefined);
    const prepared = await prepareRoot(inputs.host, request, steps, context, signal);
    return new Buildroot(context, record, prepared, await content);
  }

  /** Begins to tell the hub what the root holds, and that the build begins. Throws `BuildrootMismatch`. */
  announce(): void {
    const { signal } = this.#context;
    const listed = this.#listed();
    this.#report(async () => {
      await this.record.prepared(listed, signal);
      await this.record.building(signal);
    });
  }

  /** Begins to tell the hub what the root holds by now. Also after a failed build, as kojid does. */
  update(): void {
    const listed = this.#listed();
    this.#report(() => this.record.updated(listed, this.#context.signal));
  }

  /** Resolves when the hub has heard all of it. */
  reported(): Promise<void> {
    return this.#reported;
  }

  /** Sends `installed_pkgs.log`: the root as the build finds it. */
  async logInstalled(): Promise<void> {
    const list = renderInstalledLog(this.root.installed);
    await this.#context.logs.write('installed_pkgs.log', list, 'watched');
  }

  /** Sends what the package manager has logged of its own; once, when the root is complete. */
  async logPackageManager(): Promise<void> {
    await addPackageManagerLogs(this.#context.directory.absolute, this.#context.logs);
  }

  /** One call after the other, while the build continues. */
  #report(call: () => Promise<void>): void {
    this.#reported = this.#reported.then(call);
    // `reported` is awaited before the task ends; if that ends badly before, the reason is another.
    this.#reported.catch(() => undefined);
  }

  #listed(): readonly ListedPackage[] {
    return listPackages(this.root.installed, this.#content);
  }
}

function checkRepo(repo: RepoInfo, config: TagInfo): void {
  if (repo.tagId !== config.id)
    throw new BuildrootUnavailable(`tag/repo mismatch: ${config.name} vs ${repo.tagName}`);
  // An expired repo is still whole, only no longer current.
  if (repo.state !== repoStates.ready && repo.state !== repoStates.expired) {
    throw new BuildrootUnavailable(`Requested repo (${repo.id}) is ${repoStateName(repo.state)}`);
  }
}

/** The hub is asked for the task's channel only where a rule of the site file wants it. */
function sourcesOf(
  { task, hub, files, policy, settings, history, buildrootHost, log, signal }: BuildrootContext,
  { config: { name: tag }, packageName }: BuildrootRequest,
): BuildSources {
  const { site } = settings;
  return {
    host: buildrootHost,
    tags: hub.tags,
    files,
    policy,
    settings,
    history,
    log,
    async grantAccess(host) {
      const channel =
        site !== null && asksForChannel(site, tag) ? await hub.host.channelOf(task.id, signal) : null;
      const access = await grantAccess(host, site, { tag, channel, package: packageName });
      if (access.granted.length > 0) log.info({ opened: access.granted }, 'site file grants access');
      return access;
    },
  };
}

async function prepareRoot(...parts: Parameters<typeof BuildEnvironment.prepare>): Promise<BuildEnvironment> {
  try {
    return await BuildEnvironment.prepare(...parts);
  } catch (error) {
    if (!(error instanceof BuildrootStepFailed)) throw error;
    throw new BuildrootUnavailable(`could not init buildroot, ${error.end}`, {
      cause: error,
    });
  }
}

import { machine } from 'node:os';
import { z } from 'zod';
import { asksForChannel, type SiteFile } from '../config/site-file.ts';
import type { ContainerManager } from '../container/manager.ts';
import type { ResourceLimits } from '../container/spec.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { BuildrootsApi } from '../hub/api/buildroots.ts';
import type { HostApi } from '../hub/api/host.ts';
import type { RepoInfo } from '../hub/api/repo-schema.ts';
import type { ReposApi } from '../hub/api/repos.ts';
import { repoStateName, repoStates, type TagInfo } from '../hub/api/schema.ts';
import type { TagsApi } from '../hub/api/tags.ts';
import { externalUrl, outOfReach, reposForArch } from '../hub/external-repos.ts';
import type { HubFiles } from '../hub/files.ts';
import type { History } from '../journal/history.ts';
import type { TaskLogs } from '../logs/task-logs.ts';
import type { ImageChoice, PolicyResolver } from '../policy/resolver.ts';
import { canonArch, targetArch } from '../rpm/arch.ts';
import { TagRoot } from './build-environment.ts';
import { BuildrootStepFailed, BuildrootUnavailable, BuildrootUnsupported } from './errors.ts';
import { type BuildrootHost, withOpening } from './host.ts';
import { hubRepo } from './plan/repos.ts';
import { describeRoot, toRootRequest } from './plan/root-request.ts';
import { checkOpening, planOpening, type SiteOpening } from './plan/site-rules.ts';
import { checkTagSettings } from './plan/tag-settings.ts';
import { describeHardware } from './report/hardware.ts';
import { HubBuildroot } from './report/hub-record.ts';
import { listPackages, type RepoContent, readRepoContent } from './report/repo-content.ts';
import { type ListedPackage, renderInstalledLog } from './root/installed-packages.ts';
import { processesOf } from './steps/parallelism.ts';
import { addPackageManagerLogs, StepLogs } from './steps/step-logs.ts';

/** What a buildroot needs of its task. */
export interface BuildrootContext {
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
  readonly containers: ContainerManager;
  readonly buildrootHost: BuildrootHost;
  readonly policy: PolicyResolver;
  readonly logs: TaskLogs;
  readonly history: History;
  readonly cleanup: AsyncDisposableStack;
  readonly settings: {
    readonly mockBootstrapImage: boolean;
    readonly networkEnabled: boolean;
    readonly site: SiteFile | null;
  };
}

export interface BuildrootQuestion {
  readonly repo: RepoInfo;
  /** The build tag as it was when the repo was made. */
  readonly config: TagInfo;
  /** Arch of the root; its canonical form is the buildroot's. */
  readonly arch: string;
  /** Arch of the packages to be built: the root's, or noarch. */
  readonly packageArch: string;
  /** Group of packages in it: `build` or `srpm-build`. */
  readonly group: string;
  /** Name of the source package. */
  readonly packageName: string;
}

/**
 * A buildroot from registration on the hub to EXPIRED: record, image, root, package list and logs, in the
 * order and with the messages of kojid (`builder/kojid BuildRoot`).
 */
export class Buildroot {
  readonly record: HubBuildroot;
  readonly root: TagRoot;
  readonly #context: BuildrootContext;
  readonly #content: RepoContent;
  #told: Promise<void> = Promise.resolve();

  private constructor(context: BuildrootContext, record: HubBuildroot, root: TagRoot, content: RepoContent) {
    this.#context = context;
    this.record = record;
    this.root = root;
    this.#content = content;
  }

  /** Makes the root with its group's packages. Everything made is on the task's clean-up stack. */
  static async open(context: BuildrootContext, question: BuildrootQuestion): Promise<Buildroot> {
    const { signal, hub, logs, log, directory, cleanup } = context;
    const { repo, config } = question;
    checkRepo(repo, config);
    const arch = canonArch(question.arch);
    const externals = await hub.tags.externalRepos(repo.tagId, { event: repo.createEvent, signal });
    const refusal = outOfReach(reposForArch(externals, arch));
    if (refusal !== null) throw new BuildrootUnsupported(refusal);
    checkExtra(context, config, question.arch);
    const image = await context.history.once('image', ChosenImage, () =>
      chooseImage(context, question, arch),
    );
    const opening = await openSite(context, config.name, question.packageName);
    const record = await HubBuildroot.register(hub.buildroots, repo.id, arch, context.task.id, signal);
    cleanup.use(record);
    log.info({ buildrootId: record.id, image: image.image, because: image.because }, 'buildroot registered');
    if (image.network === true)
      log.warn({ because: image.because }, 'the build has the network of this host');
    const digest = await context.history.once(
      'image-digest',
      z.string(),
      async () => (await context.containers.ensureImage(image.image, image.pull, signal)).digest,
    );

    const place = `repos/${repo.tagName}/${repo.id}/${arch}`;
    const merged = reposForArch(externals, arch).map((external) => externalUrl(external, arch));
    const limits = smallerOf(context.buildrootHost.limits, image.limits ?? {});
    const host = withOpening({ ...context.buildrootHost, limits }, opening);
    const request = toRootRequest({
      taskId: context.task.id,
      buildrootId: record.id,
      image,
      imageDigest: digest,
      group: question.group,
      arch: question.arch,
      packageArch: question.packageArch,
      repos: [hubRepo(context.files.urls(place), merged)],
      extra: config.extra,
      directory,
    });
    await logs.write(
      'mock_config.log',
      describeRoot(
        request,
        { site: host.site, processes: processesOf(host) },
        repo,
        image.because,
        opening.lines,
      ),
    );
    await logs.write('hw_info.log', await describeHardware(directory.absolute), 'watched');
    const steps = await StepLogs.open(logs, context.clock, context.log);
    for (const line of opening.lines) await steps.root.write(`opened by the site file: ${line}\n`);
    if (image.network === true)
      await steps.root.write(`opened by a policy: the network of this host (${image.because})\n`);
    // Of a root that could not be made these are wanted most.
    cleanup.defer(async () => {
      if (!signal.aborted) await addPackageManagerLogs(directory.absolute, logs);
    });
    const content = readRepoContent(context.files, hub.repos, { place, repo, arch, externals }, signal);
    // It is awaited below; until then a failure of the preparation comes first.
    content.catch(() => undefined);
    const root = await prepareRoot(host, request, steps, context.history, cleanup, signal);
    return new Buildroot(context, record, root, await content);
  }

  /** Begins to tell the hub what the root holds, and that the build begins. Throws `BuildrootMismatch`. */
  announce(): void {
    const { signal } = this.#context;
    const listed = this.#listed();
    this.#tell(async () => {
      await this.record.prepared(listed, signal);
      await this.record.building(signal);
    });
  }

  /** Begins to tell the hub what the root holds by now. Also after a failed build, as kojid does. */
  update(): void {
    const listed = this.#listed();
    this.#tell(() => this.record.updated(listed, this.#context.signal));
  }

  /** Resolves when the hub has heard all of it. */
  told(): Promise<void> {
    return this.#told;
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
  #tell(call: () => Promise<void>): void {
    this.#told = this.#told.then(call);
    // `told` is awaited before the task ends; if that ends badly before, the reason is another.
    this.#told.catch(() => undefined);
  }

  #listed(): readonly ListedPackage[] {
    return listPackages(this.root.installed, this.#content);
  }
}

/** It came out of the policy. */
const ChosenImage = z.custom<ImageChoice>((value) => typeof value === 'object' && value !== null);

function checkRepo(repo: RepoInfo, config: TagInfo): void {
  if (repo.tagId !== config.id)
    throw new BuildrootUnavailable(`tag/repo mismatch: ${config.name} vs ${repo.tagName}`);
  // An expired repo is still whole, only no longer current.
  if (repo.state !== repoStates.ready && repo.state !== repoStates.expired) {
    throw new BuildrootUnavailable(`Requested repo (${repo.id}) is ${repoStateName(repo.state)}`);
  }
}

function checkExtra({ settings, log }: BuildrootContext, tag: TagInfo, arch: string): void {
  const withoutEffect = checkTagSettings(tag.extra, {
    targetArch: targetArch(arch),
    machine: machine(),
    mockBootstrapImage: settings.mockBootstrapImage,
  });
  if (withoutEffect.length > 0)
    log.info({ tag: tag.name, extras: withoutEffect }, 'tag extras without effect here');
}

/** What a policy asks for, but never more than the operator lets builds have. */
function smallerOf(operator: ResourceLimits, policy: Partial<ResourceLimits>): ResourceLimits {
  const smaller = (name: 'pids' | 'memoryBytes' | 'cpus') => {
    const known = [operator[name], policy[name]].filter((limit) => limit !== undefined);
    return known.length === 0 ? {} : { [name]: Math.min(...known) };
  };
  return { ...operator, ...smaller('pids'), ...smaller('memoryBytes'), ...smaller('cpus') };
}

async function chooseImage(
  { policy, task, signal, settings }: BuildrootContext,
  { repo, config }: BuildrootQuestion,
  arch: string,
): Promise<ImageChoice> {
  const tag = { id: config.id, name: config.name };
  const image = await policy.resolve(
    { method: task.method, tag, arch, buildConfigExtra: config.extra, event: repo.createEvent },
    signal,
  );
  if (image.network === true && !settings.networkEnabled)
    throw new BuildrootUnsupported(
      `${image.because} asks for network, which network_enabled forbids on this host`,
    );
  return image;
}

/** What the operator's site file opens for a build of the tag; the hub is asked for the channel only where a rule wants it. */
async function openSite(
  { task, hub, settings: { site }, log, signal }: BuildrootContext,
  tag: string,
  packageName: string,
): Promise<SiteOpening> {
  const channel =
    site !== null && asksForChannel(site, tag) ? await hub.host.channelOf(task.id, signal) : null;
  const opening = planOpening(site, { tag, channel, package: packageName });
  await checkOpening(opening, site);
  if (opening.lines.length > 0) log.info({ opened: opening.lines }, 'site file grants access');
  return opening;
}

async function prepareRoot(...parts: Parameters<typeof TagRoot.prepare>): Promise<TagRoot> {
  try {
    return await TagRoot.prepare(...parts);
  } catch (error) {
    if (!(error instanceof BuildrootStepFailed)) throw error;
    throw new BuildrootUnavailable(`could not init buildroot, ${error.end}`, {
      cause: error,
    });
  }
}

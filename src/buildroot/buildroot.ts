import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ContainerManager } from '../container/manager.ts';
import type { Clock } from '../core/clock.ts';
import { BuilderError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { BuildrootsApi } from '../hub/buildroots-api.ts';
import { HubFileError, type HubFiles } from '../hub/files.ts';
import type { ReposApi } from '../hub/repos-api.ts';
import { type RepoInfo, repoStateName, repoStates, type TagInfo } from '../hub/schema.ts';
import type { TagsApi } from '../hub/tags-api.ts';
import type { LogFile } from '../logs/log-file.ts';
import type { TaskLogs } from '../logs/task-logs.ts';
import type { PolicyResolver } from '../policy/resolver.ts';
import { canonArch, personalityOf, targetArch } from '../rpm/arch.ts';
import type { BuildrootHost } from './containers.ts';
import { BuildrootStepFailed, describeStatus } from './errors.ts';
import { describeHardware } from './hardware.ts';
import { HubBuildroot } from './hub-record.ts';
import {
  type ListedPackage,
  mapInternal,
  type RepoPackage,
  renderInstalledLog,
} from './installed-packages.ts';
import { renderMockConfig } from './mock-config.ts';
import { planEnvironment, planMacros } from './mock-environment.ts';
import { renderPackageManagerConfig } from './package-manager-config.ts';
import { TagRoot } from './tag-root.ts';

/** What a buildroot needs of its task. */
export interface BuildrootContext {
  readonly task: { readonly id: number; readonly method: string };
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly hub: { readonly buildroots: BuildrootsApi; readonly repos: ReposApi; readonly tags: TagsApi };
  readonly files: HubFiles;
  readonly directory: { readonly absolute: string; readonly work: string };
  readonly containers: ContainerManager;
  readonly buildrootHost: BuildrootHost;
  readonly policy: PolicyResolver;
  readonly logs: TaskLogs;
  readonly cleanup: AsyncDisposableStack;
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
}

/** A buildroot cannot be had; Koji's fault 1012. */
export class BuildrootUnavailable extends BuilderError {
  readonly faultCode = 1012;

  constructor(message: string, options?: ErrorOptions) {
    super('buildroot-unavailable', 'request', message, options);
  }
}

/** This builder has no way to do it, another may have. */
export class BuildrootUnsupported extends BuilderError {
  constructor(message: string) {
    super('buildroot-unsupported', 'builder', message);
  }
}

const RepoLine = z.object({
  id: z.int(),
  name: z.string(),
  version: z.string(),
  release: z.string(),
  arch: z.string(),
  payloadhash: z.string(),
});

/**
 * A buildroot from registration on the hub to EXPIRED: record, image, root, package list and logs, in the
 * order and with the messages of kojid (`builder/kojid BuildRoot`).
 */
export class Buildroot {
  readonly record: HubBuildroot;
  readonly root: TagRoot;
  readonly #context: BuildrootContext;
  readonly #repoPackages: readonly RepoPackage[];

  private constructor(
    context: BuildrootContext,
    record: HubBuildroot,
    root: TagRoot,
    repoPackages: readonly RepoPackage[],
  ) {
    this.#context = context;
    this.record = record;
    this.root = root;
    this.#repoPackages = repoPackages;
  }

  /** Makes the root with its group's packages and tells the hub its list. Everything made is on the task's clean-up stack. */
  static async open(context: BuildrootContext, question: BuildrootQuestion): Promise<Buildroot> {
    const { signal, hub, logs } = context;
    const { repo, config } = question;
    checkRepo(repo, config);
    const arch = canonArch(question.arch);
    const externals = await hub.tags.externalRepos(repo.tagId, { event: repo.createEvent, signal });
    if (externals.length > 0) {
      throw new BuildrootUnsupported(
        `tag ${repo.tagName} has external repositories, which this builder does not support yet`,
      );
    }
    const record = await HubBuildroot.register(hub.buildroots, repo.id, arch, context.task.id, signal);
    context.cleanup.use(record);

    const image = await context.policy.resolve(
      {
        method: context.task.method,
        tag: { id: config.id, name: config.name },
        arch,
        buildConfigExtra: config.extra,
        event: repo.createEvent,
      },
      signal,
    );
    context.log.info(
      { buildrootId: record.id, image: image.image, because: image.because },
      'buildroot registered',
    );
    await context.containers.ensureImage(image.image, image.pull, signal);

    const place = `repos/${repo.tagName}/${repo.id}/${arch}`;
    const request = {
      taskId: context.task.id,
      buildrootId: record.id,
      image: image.image,
      group: question.group,
      repoUrls: context.files.urls(place),
      extra: config.extra,
      targetArch: targetArch(question.arch),
      rpmTarget: targetArch(question.packageArch),
      personality: personalityOf(question.arch) === 'linux32' ? 'linux32' : null,
      directory: context.directory,
    };
    await logs.write(
      'mock_config.log',
      renderMockConfig({
        name: `${repo.tagName}-${record.id}-${repo.id}`,
        buildrootId: record.id,
        repoId: repo.id,
        tagName: repo.tagName,
        targetArch: request.targetArch,
        group: question.group,
        image: image.image,
        imageReason: image.because,
        packageManagerConfig: renderPackageManagerConfig(
          request.repoUrls,
          context.buildrootHost.site,
          config.extra,
        ),
        macros: planMacros(context.buildrootHost.site, config.extra, request.targetArch),
        environment: planEnvironment(config.extra),
        site: context.buildrootHost.site,
      }),
    );
    await logs.write('hw_info.log', await describeHardware(context.directory.absolute));
    const steps = await StepLogs.open(logs, context.clock);
    // Of a root that could not be made these are wanted most.
    context.cleanup.defer(() => sendPackageManagerLogs(context));
    const repoPackages = readRepoPackages(context.files, `${place}/rpmlist.jsonl`, signal);
    // It is awaited below; until then a failure of the preparation comes first.
    repoPackages.catch(() => undefined);
    let root: TagRoot;
    try {
      root = await TagRoot.prepare(context.buildrootHost, request, steps, context.cleanup, signal);
    } catch (error) {
      if (!(error instanceof BuildrootStepFailed)) throw error;
      throw new BuildrootUnavailable(`could not init buildroot, ${describeStatus(error.status)}`, {
        cause: error,
      });
    }
    const buildroot = new Buildroot(context, record, root, await repoPackages);
    await record.prepared(buildroot.#listed(), signal);
    return buildroot;
  }

  /** Tells the hub what the root holds by now. Also after a failed build, as kojid does. */
  async update(): Promise<void> {
    await this.record.updated(this.#listed(), this.#context.signal);
  }

  /** Sends `installed_pkgs.log`: the root as the build finds it. */
  async logInstalled(): Promise<void> {
    await this.#context.logs.write('installed_pkgs.log', renderInstalledLog(this.root.installed));
  }

  /** Sends what the package manager has logged of its own; once, when the root is complete. */
  async logPackageManager(): Promise<void> {
    await sendPackageManagerLogs(this.#context);
  }

  #listed(): readonly ListedPackage[] {
    return mapInternal(this.root.installed, this.#repoPackages);
  }
}

/** The logs of a root's steps: root.log, build.log, and what mock says in state.log and mock_output.log. */
class StepLogs {
  readonly root: LogFile;
  readonly build: LogFile;
  readonly #state: LogFile;
  readonly #output: LogFile;
  readonly #clock: Clock;

  private constructor(root: LogFile, build: LogFile, state: LogFile, output: LogFile, clock: Clock) {
    this.root = root;
    this.build = build;
    this.#state = state;
    this.#output = output;
    this.#clock = clock;
  }

  static async open(logs: TaskLogs, clock: Clock): Promise<StepLogs> {
    const root = await logs.open('root.log');
    const build = await logs.open('build.log');
    const state = await logs.open('state.log');
    return new StepLogs(root, build, state, await logs.open('mock_output.log'), clock);
  }

  async step(name: string, at: 'start' | 'finish'): Promise<void> {
    const time = new Date(this.#clock.now())
      .toISOString()
      .replace('T', ' ')
      .replace('.', ',')
      .replace('Z', '');
    const word = at === 'start' ? 'Start' : 'Finish';
    await this.#state.write(`${time} - ${word}: ${name}\n`);
    await this.#output.write(`${word}: ${name}\n`);
    if (at === 'start') await this.root.write(`${time} - ${name}\n`);
  }
}

/** The logs dnf keeps of itself, under the names that kojid gives them. Repeatable: what was sent is not sent again. */
async function sendPackageManagerLogs({ directory, logs, signal }: BuildrootContext): Promise<void> {
  if (signal.aborted) return;
  const place = join(directory.absolute, 'fetch', 'logs');
  for (const name of await readdir(place).catch(() => [])) {
    if (!/^dnf[a-z.]*\.log$/.test(name) || logs.has(name)) continue;
    await logs.write(name, await readFile(join(place, name), 'utf8'));
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

async function readRepoPackages(
  files: HubFiles,
  path: string,
  signal: AbortSignal,
): Promise<readonly RepoPackage[]> {
  let text: string;
  try {
    text = await files.text(path, signal);
  } catch (error) {
    if (!(error instanceof HubFileError && error.missing)) throw error;
    throw new BuildrootUnavailable(
      `the repo has no list of its packages (${path}): it was made by a hub before 1.34, make a new one`,
      { cause: error },
    );
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => RepoLine.parse(JSON.parse(line)));
}

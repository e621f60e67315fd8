import { mkdir, rm } from 'node:fs/promises';
import { machine } from 'node:os';
import { basename, join } from 'node:path';
import type { BuildrootHost, RootRequest } from '../buildroot/containers.ts';
import { BuildrootUnsupported } from '../buildroot/errors.ts';
import { outOfReach, reposForArch } from '../buildroot/external-urls.ts';
import { renderMockConfig } from '../buildroot/mock-config.ts';
import { planEnvironment, planMacros } from '../buildroot/mock-environment.ts';
import { renderPackageManagerConfig } from '../buildroot/package-manager-config.ts';
import { listPackages, readRepoContent } from '../buildroot/repo-content.ts';
import { checkTagSettings } from '../buildroot/tag-settings.ts';
import type { Logger } from '../core/logger.ts';
import type { HubFiles } from '../hub/files.ts';
import { type ExternalRepo, type RepoInfo, repoStateName, repoStates, type TagInfo } from '../hub/schema.ts';
import { buildLocally, type LocalBuild } from '../local-build/build-locally.ts';
import { openLocalLogs } from '../local-build/local-logs.ts';
import type { ImageChoice, PolicyResolver } from '../policy/resolver.ts';
import { canonArch, machineArch, personalityOf, targetArch } from '../rpm/arch.ts';
import { noarchRpmdiffHashes, noarchRpmdiffName, toNoarchRpmdiffJson } from '../rpm/noarch-rpmdiff.ts';
import { ourRoot, type RootPackage } from './buildroot-differences.ts';
import { CannotCompare } from './errors.ts';
import type { HubQuestions } from './hub-questions.ts';
import { rootArchOf, type TheirBuild } from './their-build.ts';
import type { TheirFiles } from './their-files.ts';

/** What our builds are made with: what a daemon on this host would have. */
export interface Workshop {
  readonly hub: HubQuestions;
  readonly files: HubFiles;
  readonly host: BuildrootHost;
  readonly policy: PolicyResolver;
  readonly mockBootstrapImage: boolean;
  readonly networkEnabled: boolean;
  /** The worker's area, and number for the names of our containers. */
  readonly workDir: string;
  readonly id: number;
  readonly log: Logger;
}

/** The ground of a build, as far as the hub decides on it. */
export interface Ground {
  readonly repo: RepoInfo;
  /** The build tag as it was when the repo was made. */
  readonly tag: TagInfo;
  /** Arch of the root. */
  readonly arch: string;
  readonly externals: readonly ExternalRepo[];
  readonly image: ImageChoice;
  readonly imageDigest: string;
}

export interface OurBuild {
  readonly build: LocalBuild;
  readonly root: readonly RootPackage[];
  readonly logs: readonly string[];
  readonly tookMs: number;
}

/**
 * Finds repo, tag settings and image of a task: its own repo, or with `latest` its tag's newest. Throws
 * `CannotCompare` when the repo is gone or its arch is another machine's.
 */
export async function findGround(
  shop: Workshop,
  their: TheirBuild,
  latest: boolean,
  signal: AbortSignal,
): Promise<Ground> {
  const { hub, policy } = shop;
  const { task, request } = their;
  const arch = rootArchOf(their);
  if (machineArch(canonArch(arch)) !== machine())
    throw new CannotCompare(
      `task ${task.id} was built in a buildroot for ${arch}, this is a machine for ${machine()}: compare it on such a machine, or choose another arch with --arch`,
    );
  const repo = latest ? await newestRepo(shop, their, signal) : await repoOf(shop, their, signal);
  const tag = await hub.tags.buildConfig(request.root, { event: repo.createEvent, signal });
  const externals = await hub.tags.externalRepos(repo.tagId, { event: repo.createEvent, signal });
  const refusal = outOfReach(reposForArch(externals, canonArch(arch)));
  if (refusal !== null) throw new BuildrootUnsupported(refusal);
  checkTagSettings(tag.extra, {
    ...{ targetArch: targetArch(arch), machine: machine(), mockBootstrapImage: shop.mockBootstrapImage },
  });
  const question = { method: 'buildArch', tag, arch: canonArch(arch), buildConfigExtra: tag.extra };
  const image = await policy.resolve({ ...question, event: repo.createEvent }, signal);
  if (image.network === true && !shop.networkEnabled)
    throw new BuildrootUnsupported(`${image.because} asks for network, which network_enabled forbids here`);
  const { digest } = await shop.host.containers.ensureImage(image.image, image.pull, signal);
  return { repo, tag, arch, externals, image, imageDigest: digest };
}

async function repoOf(
  { hub }: Workshop,
  { task, request }: TheirBuild,
  signal: AbortSignal,
): Promise<RepoInfo> {
  const id = request.opts.repo_id;
  const repo = await hub.repos.repoInfo(id, { signal });
  if (repo !== null && (repo.state === repoStates.ready || repo.state === repoStates.expired)) return repo;
  throw new CannotCompare(
    `repo ${id}, which task ${task.id} was built with, is ${repo === null ? 'unknown' : repoStateName(repo.state)}: compare a younger build, or let --repo latest take the newest repo of its tag (then the buildroots may differ)`,
  );
}

async function newestRepo(
  { hub }: Workshop,
  { request }: TheirBuild,
  signal: AbortSignal,
): Promise<RepoInfo> {
  const repo = await hub.repos.getRepo(request.root, { signal });
  const found = repo === null ? null : await hub.repos.repoInfo(repo.id, { signal });
  if (found === null) throw new CannotCompare(`tag ${request.root} has no repo that is READY`);
  return found;
}

/** Builds the task's source package on its ground. What it makes lies in the work area until that goes. */
export async function buildAgain(
  shop: Workshop,
  their: TheirBuild,
  theirFiles: TheirFiles,
  ground: Ground,
  signal: AbortSignal,
): Promise<OurBuild> {
  const { clock } = shop.host;
  const work = `compare-${their.task.id}`;
  const directory = join(shop.workDir, work);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const source = join(directory, 'source.src.rpm');
  await theirFiles.downloadSource(source, signal);

  const place = `repos/${ground.repo.tagName}/${ground.repo.id}/${canonArch(ground.arch)}`;
  const request = toRootRequest(shop, their, ground, place, { absolute: directory, work });
  const host = { ...shop.host, limits: { ...shop.host.limits, ...ground.image.limits } };
  const logs = openLocalLogs(directory, clock, shop.log);
  const startedMs = clock.now();
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => logs.finish(signal));
  await logs.write('mock_config.log', describeRoot(request, host, ground));
  const contentOptions = {
    repoId: ground.repo.id,
    arch: canonArch(ground.arch),
    externals: ground.externals,
  };
  const content = await readRepoContent(shop.files, place, contentOptions, signal);
  const build = await buildLocally(host, { source, root: request }, logs, shop.log, cleanup, signal);
  const hashes = await noarchRpmdiffHashes(build.rpms, signal);
  if (hashes.size > 0) await logs.write(noarchRpmdiffName, toNoarchRpmdiffJson(their.task.id, hashes));
  await cleanup.disposeAsync();
  const listed = (packages: LocalBuild['installed']) => listPackages(packages, content);
  return {
    build,
    root: ourRoot(listed(build.groupPackages), listed(build.installed), ground.externals),
    logs: logs.uploaded.map((name) => basename(name)),
    tookMs: clock.now() - startedMs,
  };
}

/** As `Buildroot.open` asks for the root of a task. */
function toRootRequest(
  shop: Workshop,
  { task, request }: TheirBuild,
  { arch, image, imageDigest, tag }: Ground,
  place: string,
  directory: RootRequest['directory'],
): RootRequest {
  return {
    ...{ taskId: task.id, buildrootId: shop.id, image: image.image, imageDigest },
    group: 'build',
    ...{ repoUrls: shop.files.urls(place), extra: tag.extra, directory },
    targetArch: targetArch(arch),
    rpmTarget: targetArch(request.arch),
    personality: personalityOf(arch) === 'linux32' ? 'linux32' : null,
    network: image.network === true ? 'host' : 'none',
  };
}

function describeRoot(request: RootRequest, { site }: BuildrootHost, { repo, image }: Ground): string {
  const { buildrootId, targetArch: arch, group, repoUrls, extra, network } = request;
  return renderMockConfig({
    ...{ name: `${repo.tagName}-${buildrootId}-${repo.id}`, buildrootId, repoId: repo.id },
    ...{ tagName: repo.tagName, targetArch: arch, group, image: image.image, imageReason: image.because },
    hasNetwork: network !== 'none',
    packageManagerConfig: renderPackageManagerConfig(repoUrls, site, extra),
    macros: planMacros(site, extra, arch),
    environment: planEnvironment(extra),
    site,
  });
}

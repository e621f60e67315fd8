import { machine } from 'node:os';
import { basename, join } from 'node:path';
import { BuildrootUnsupported } from '../../buildroot/errors.ts';
import type { BuildrootHost } from '../../buildroot/host.ts';
import { hubRepo } from '../../buildroot/plan/repos.ts';
import { describeRoot, type RootRequest, toRootRequest } from '../../buildroot/plan/root-request.ts';
import { checkTagSettings } from '../../buildroot/plan/tag-settings.ts';
import { listPackages, readRepoContent } from '../../buildroot/report/repo-content.ts';
import { processesOf } from '../../buildroot/steps/parallelism.ts';
import type { Logger } from '../../core/logger.ts';
import type { RepoInfo } from '../../hub/api/repo-schema.ts';
import { type ExternalRepo, repoStateName, repoStates, type TagInfo } from '../../hub/api/schema.ts';
import { externalUrl, outOfReach, reposForArch } from '../../hub/external-repos.ts';
import type { HubFiles } from '../../hub/files.ts';
import type { ImageChoice, PolicyResolver } from '../../policy/resolver.ts';
import { canonArch, machineArch, targetArch } from '../../rpm/arch.ts';
import { noarchRpmdiffName, toNoarchRpmdiffJson } from '../../rpm/noarch-rpmdiff.ts';
import { noarchRpmdiffHashes } from '../../rpm/package-reader.ts';
import { buildLocally, type LocalBuild, openLocalLogs } from '../build-locally.ts';
import { ourRoot, type RootPackage } from './buildroot-differences.ts';
import { CannotCompare } from './errors.ts';
import type { HubQuestions } from './read-only-hub.ts';
import { rootArchOf, type TheirBuild } from './reference-build.ts';
import type { TheirFiles } from './reference-files.ts';

/** What our builds are made with: what a daemon on this host would have. */
export interface Workshop {
  readonly hub: HubQuestions;
  readonly files: HubFiles;
  readonly host: BuildrootHost;
  readonly policy: PolicyResolver;
  readonly mockBootstrapImage: boolean;
  readonly networkEnabled: boolean;
  /** For the names of our containers. */
  readonly id: number;
  /** An empty directory of the worker's area for one build. */
  openWork(): Promise<RootRequest['directory']>;
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
    targetArch: targetArch(arch),
    machine: machine(),
    mockBootstrapImage: shop.mockBootstrapImage,
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

/** Builds the task's source package on its ground, in `place`. */
export async function buildAgain(
  shop: Workshop,
  their: TheirBuild,
  theirFiles: TheirFiles,
  ground: Ground,
  place: RootRequest['directory'],
  signal: AbortSignal,
): Promise<OurBuild> {
  const { clock } = shop.host;
  const directory = place.absolute;
  const source = join(directory, 'source.src.rpm');
  await theirFiles.downloadSource(source, signal);

  const repoPlace = `repos/${ground.repo.tagName}/${ground.repo.id}/${canonArch(ground.arch)}`;
  const { image, imageDigest, arch } = ground;
  const request = toRootRequest({
    taskId: their.task.id,
    buildrootId: shop.id,
    image,
    imageDigest,
    group: 'build',
    arch,
    packageArch: their.request.arch,
    repos: [hubRepo(shop.files.urls(repoPlace), mergedInto(ground))],
    extra: ground.tag.extra,
    directory: place,
  });
  const host = { ...shop.host, limits: { ...shop.host.limits, ...ground.image.limits } };
  const logs = openLocalLogs(directory, clock, shop.log);
  const startedMs = clock.uptime();
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => logs.finish(signal));
  await logs.write(
    'mock_config.log',
    describeRoot(request, { site: host.site, processes: processesOf(host) }, ground.repo, image.because),
  );
  const where = {
    place: repoPlace,
    repo: ground.repo,
    arch: canonArch(ground.arch),
    externals: ground.externals,
  };
  const content = await readRepoContent(shop.files, shop.hub.repos, where, signal);
  const build = await buildLocally(host, { source, root: request }, logs, shop.log, cleanup, signal);
  const hashes = await noarchRpmdiffHashes(build.rpms, signal);
  if (hashes.size > 0) await logs.write(noarchRpmdiffName, toNoarchRpmdiffJson(their.task.id, hashes));
  await cleanup.disposeAsync();
  const listed = (packages: LocalBuild['installed']) => listPackages(packages, content);
  return {
    build,
    root: ourRoot(listed(build.groupPackages), listed(build.installed), ground.externals),
    logs: logs.uploaded.map((name) => basename(name)),
    tookMs: clock.uptime() - startedMs,
  };
}

/** The external repos whose packages the repo lists, and that keep them. */
function mergedInto({ externals, arch }: Pick<Ground, 'externals' | 'arch'>): readonly string[] {
  const canonical = canonArch(arch);
  return reposForArch(externals, canonical).map((external) => externalUrl(external, canonical));
}

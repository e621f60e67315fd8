import { machine } from 'node:os';
import { basename, join } from 'node:path';
import {
  type BuildSources,
  beginRoot,
  ensureBuildImage,
  planBuild,
  type TagBuildInputs,
} from '../../buildroot/build-inputs.ts';
import type { BuildrootHost } from '../../buildroot/host.ts';
import type { RootRequest } from '../../buildroot/plan/root-request.ts';
import { listPackages, readRepoContent } from '../../buildroot/report/repo-content.ts';
import type { Logger } from '../../core/logger.ts';
import type { RepoInfo } from '../../hub/api/repo-schema.ts';
import { repoStateName, repoStates } from '../../hub/api/schema.ts';
import type { HubFiles } from '../../hub/files.ts';
import type { PolicyResolver } from '../../policy/resolver.ts';
import { canonArch, machineArch } from '../../rpm/arch.ts';
import { noarchRpmdiffName, toNoarchRpmdiffJson } from '../../rpm/noarch-rpmdiff.ts';
import { noarchRpmdiffHashes } from '../../rpm/package-reader.ts';
import { buildLocally, type LocalBuild, openLocalLogs } from '../build-locally.ts';
import { ourRoot, type RootPackage } from './buildroot-differences.ts';
import { CannotCompare } from './errors.ts';
import type { ReadOnlyHub } from './read-only-hub.ts';
import { type ReferenceBuild, rootArchOf } from './reference-build.ts';
import type { ReferenceFiles } from './reference-files.ts';

/** What our builds are made with: what a daemon on this host would have. */
export interface CompareContext {
  readonly hub: ReadOnlyHub;
  readonly files: HubFiles;
  readonly host: BuildrootHost;
  readonly policy: PolicyResolver;
  readonly settings: BuildSources['settings'];
  /** For the names of our containers. */
  readonly id: number;
  /** An empty directory of the worker's area for one build. */
  openWork(): Promise<RootRequest['directory']>;
  readonly log: Logger;
}

/** With what a task's package is built again: what the hub decides on, and the digest of the image. */
export interface ReferenceInputs extends TagBuildInputs {
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
export async function findInputs(
  context: CompareContext,
  their: ReferenceBuild,
  latest: boolean,
  signal: AbortSignal,
): Promise<ReferenceInputs> {
  const { hub } = context;
  const { task, request } = their;
  const arch = rootArchOf(their);
  if (machineArch(canonArch(arch)) !== machine())
    throw new CannotCompare(
      `task ${task.id} was built in a buildroot for ${arch}, this is a machine for ${machine()}: compare it on such a machine, or choose another arch with --arch`,
    );
  const repo = latest ? await newestRepo(context, their, signal) : await repoOf(context, their, signal);
  const tag = await hub.tags.buildConfig(request.root, { event: repo.createEvent, signal });
  const inputs = await planBuild(
    { method: 'buildArch', repo, config: tag, arch, packageArch: request.arch, group: 'build' },
    { ...context, tags: hub.tags },
    signal,
  );
  return {
    ...inputs,
    imageDigest: await ensureBuildImage(inputs, context.host.images, signal),
  };
}

async function repoOf(
  { hub }: CompareContext,
  { task, request }: ReferenceBuild,
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
  { hub }: CompareContext,
  { request }: ReferenceBuild,
  signal: AbortSignal,
): Promise<RepoInfo> {
  const repo = await hub.repos.getRepo(request.root, { signal });
  const found = repo === null ? null : await hub.repos.repoInfo(repo.id, { signal });
  if (found === null) throw new CannotCompare(`tag ${request.root} has no repo that is READY`);
  return found;
}

/** Builds the task's source package on its inputs, in `place`. */
export async function buildAgain(
  context: CompareContext,
  their: ReferenceBuild,
  theirFiles: ReferenceFiles,
  inputs: ReferenceInputs,
  place: RootRequest['directory'],
  signal: AbortSignal,
): Promise<OurBuild> {
  const { clock } = context.host;
  const directory = place.absolute;
  const source = join(directory, 'source.src.rpm');
  await theirFiles.downloadSource(source, signal);

  const { host, imageDigest, content: where } = inputs;
  const logs = openLocalLogs(directory, clock, context.log);
  const startedMs = clock.uptime();
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => logs.finish(signal));
  const root = { taskId: their.task.id, buildrootId: context.id, imageDigest, directory: place };
  const request = await beginRoot(inputs, root, logs);
  const content = await readRepoContent(context.files, context.hub.repos, where, signal);
  const build = await buildLocally(host, { source, root: request }, logs, context.log, cleanup, signal);
  const hashes = await noarchRpmdiffHashes(build.rpms, signal);
  if (hashes.size > 0) await logs.write(noarchRpmdiffName, toNoarchRpmdiffJson(their.task.id, hashes));
  await cleanup.disposeAsync();
  const listed = (packages: LocalBuild['installed']) => listPackages(packages, content);
  return {
    build,
    root: ourRoot(listed(build.groupPackages), listed(build.installed), where.externals),
    logs: logs.uploaded.map((name) => basename(name)),
    tookMs: clock.uptime() - startedMs,
  };
}

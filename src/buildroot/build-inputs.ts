import { machine } from 'node:os';
import { z } from 'zod';
import type { BuildNames, SiteFile } from '../config/site-file.ts';
import type { ImageStore } from '../container/image-store.ts';
import type { ResourceLimits } from '../container/spec.ts';
import type { Logger } from '../core/logger.ts';
import type { RepoInfo } from '../hub/api/repo-schema.ts';
import type { TagInfo } from '../hub/api/schema.ts';
import type { TagsApi } from '../hub/api/tags.ts';
import { externalUrl, outOfReach, reposForArch } from '../hub/external-repos.ts';
import type { HubFiles } from '../hub/files.ts';
import { type History, noHistory } from '../journal/history.ts';
import type { TaskLogs } from '../logs/task-logs.ts';
import type { ImageChoice, PolicyResolver } from '../policy/resolver.ts';
import { canonArch, targetArch } from '../rpm/arch.ts';
import { BuildrootUnsupported } from './errors.ts';
import { type BuildrootHost, withGrants } from './host.ts';
import { hubRepo } from './plan/repos.ts';
import { describeRoot, type RootQuestion, type RootRequest, toRootRequest } from './plan/root-request.ts';
import { checkGrants, planGrants } from './plan/site-rules.ts';
import { checkTagSettings } from './plan/tag-settings.ts';
import type { RepoPlace } from './report/repo-content.ts';
import { processesOf } from './steps/parallelism.ts';

/** A package to be built for a tag of the hub. */
export interface BuildRequest {
  /** Task method, by which a policy may go. */
  readonly method: string;
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

/** Whom to ask, and what holds on this host. */
export interface BuildSources {
  readonly host: BuildrootHost;
  readonly tags: Pick<TagsApi, 'externalRepos'>;
  readonly files: Pick<HubFiles, 'urls'>;
  readonly policy: Pick<PolicyResolver, 'resolve'>;
  readonly settings: {
    /** kojid's `mock_bootstrap_image`. */
    readonly mockBootstrapImage: boolean;
    /** A policy may give builds the network of this host. */
    readonly networkEnabled: boolean;
  };
  /** Left out: nothing is remembered. */
  readonly history?: History;
  readonly log: Logger;
  /** Lets the operator's site file grant its things; left out: nothing is granted. */
  grantAccess?(host: BuildrootHost): Promise<GrantedHost>;
}

/** With what a package is built. */
export interface BuildInputs
  extends Pick<RootQuestion, 'image' | 'group' | 'packages' | 'arch' | 'packageArch' | 'repos' | 'extra'> {
  /** With the limits of the policy, and all that the site file opens. */
  readonly host: BuildrootHost;
  readonly repo: Pick<RepoInfo, 'id' | 'tagName'>;
  /** What the site file opens, in words. */
  readonly granted: readonly string[];
}

/** The same for a tag of the hub. */
export interface TagBuildInputs extends BuildInputs {
  readonly repo: RepoInfo;
  /** Where the packages of the repo are listed. */
  readonly content: RepoPlace;
}

/** A host with what is granted on it for one build; `granted` says it in words. */
export interface GrantedHost {
  readonly host: BuildrootHost;
  readonly granted: readonly string[];
}

/**
 * Finds out with what a package of a tag is built. Throws `BuildrootUnsupported` for what only another builder can do:
 * an external repo out of reach of containers, settings of mock that are not those of this builder, a network that
 * `network_enabled` forbids; `BadTagSetting` for settings that none can use, and what the policy and the hub throw.
 */
export async function planBuild(
  { method, repo, config, arch, packageArch, group }: BuildRequest,
  { host, tags, files, policy, settings, history = noHistory, log, grantAccess }: BuildSources,
  signal: AbortSignal,
): Promise<TagBuildInputs> {
  const canonical = canonArch(arch);
  const externals = await tags.externalRepos(repo.tagId, { event: repo.createEvent, signal });
  const own = reposForArch(externals, canonical);
  const refusal = outOfReach(own);
  if (refusal !== null) throw new BuildrootUnsupported(refusal);
  const withoutEffect = checkTagSettings(config.extra, {
    targetArch: targetArch(arch),
    machine: machine(),
    mockBootstrapImage: settings.mockBootstrapImage,
  });
  if (withoutEffect.length > 0)
    log.info({ tag: config.name, extras: withoutEffect }, 'tag extras without effect here');
  const image = await history.once('image', ChosenImage, async () => {
    const tag = { id: config.id, name: config.name };
    const question = {
      method,
      tag,
      arch: canonical,
      buildConfigExtra: config.extra,
      event: repo.createEvent,
    };
    const chosen = await policy.resolve(question, signal);
    if (chosen.network === true && !settings.networkEnabled)
      throw new BuildrootUnsupported(
        `${chosen.because} asks for network, which network_enabled forbids on this host`,
      );
    return chosen;
  });
  const limited = { ...host, limits: smallerOf(host.limits, image.limits ?? {}) };
  const granted = grantAccess === undefined ? { host: limited, granted: [] } : await grantAccess(limited);
  const place = `repos/${repo.tagName}/${repo.id}/${canonical}`;
  const merged = own.map((external) => externalUrl(external, canonical));
  return {
    ...granted,
    image,
    repo,
    repos: [hubRepo(files.urls(place), merged)],
    content: { place, repo, arch: canonical, externals },
    extra: config.extra,
    arch,
    packageArch,
    group,
  };
}

/** It came out of the policy. */
const ChosenImage = z.custom<ImageChoice>((value) => typeof value === 'object' && value !== null);

/** What a policy asks for, but never more than the operator lets builds have. */
function smallerOf(operator: ResourceLimits, policy: Partial<ResourceLimits>): ResourceLimits {
  const smaller = (name: 'pids' | 'memoryBytes' | 'cpus') => {
    const known = [operator[name], policy[name]].filter((limit) => limit !== undefined);
    return known.length === 0 ? {} : { [name]: Math.min(...known) };
  };
  return { ...operator, ...smaller('pids'), ...smaller('memoryBytes'), ...smaller('cpus') };
}

/** The host with what the operator's site file opens to such a build. Throws `HostLacks` and `BuildrootUnsupported`. */
export async function grantAccess(
  host: BuildrootHost,
  site: SiteFile | null,
  build: BuildNames,
): Promise<GrantedHost> {
  const grants = planGrants(site, build);
  await checkGrants(grants, site);
  return { host: withGrants(host, grants), granted: grants.lines };
}

/** Makes sure of the image, and gives its digest. */
export function ensureBuildImage(
  { image }: Pick<BuildInputs, 'image'>,
  images: Pick<ImageStore, 'ensure'>,
  signal: AbortSignal,
  history: History = noHistory,
): Promise<string> {
  return history.once(
    'image-digest',
    z.string(),
    async () => (await images.ensure(image.image, image.pull, signal)).digest,
  );
}

/** The root to be made of it. Begins its logs with `mock_config.log`. */
export async function beginRoot(
  inputs: BuildInputs,
  root: Pick<RootQuestion, 'taskId' | 'buildrootId' | 'imageDigest' | 'directory'>,
  logs: TaskLogs,
): Promise<RootRequest> {
  const { host, image, repo, granted } = inputs;
  const { group, packages, arch, packageArch, repos, extra } = inputs;
  const request = toRootRequest({
    ...root,
    image,
    group,
    arch,
    packageArch,
    repos,
    extra,
    ...(packages !== undefined && { packages }),
  });
  const described = { site: host.site, processes: processesOf(host) };
  await logs.write('mock_config.log', describeRoot(request, described, repo, image.because, granted));
  return request;
}

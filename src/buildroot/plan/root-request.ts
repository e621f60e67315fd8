import type { ContainerSpec } from '../../container/spec.ts';
import type { ImageChoice } from '../../policy/resolver.ts';
import type { TagExtra } from '../../policy/tag-extra-cache.ts';
import { personalityOf, targetArch } from '../../rpm/arch.ts';
import { renderPackageManagerConfig } from './dnf-conf.ts';
import { renderMockConfig } from './mock-config.ts';
import type { SiteSettings } from './mock-environment.ts';
import { planEnvironment, planMacros } from './mock-environment.ts';
import type { PackageRepo } from './repos.ts';
import { readSolverSettings } from './tag-settings.ts';

/** One root to be made. */
export interface RootRequest {
  readonly taskId: number;
  readonly buildrootId: number;
  /** Bootstrap image, there already. */
  readonly image: string;
  /** What it is, whatever it is called. */
  readonly imageDigest: string;
  /** Package group in the repo's comps: `build` or `srpm-build`. */
  readonly group: string;
  /** In place of the group's: names of packages. */
  readonly packages?: readonly string[];
  /** Where packages come from: for a task the repo of the build tag for this arch. */
  readonly repos: readonly PackageRepo[];
  readonly extra: TagExtra;
  /** Arch of the root, for macros such as `%_host`. */
  readonly targetArch: string;
  /** rpmbuild's `--target`: the root's arch, or noarch. */
  readonly rpmTarget: string;
  /** Argument of `setarch` where the host's own machine name is another, else null. */
  readonly personality: string | null;
  /** The network of package code: none, unless the tag's policy asks for it. */
  readonly network: ContainerSpec['network'];
  /** The task's directory: absolute on this host, and relative to the worker's area as mounts want it. */
  readonly directory: { readonly absolute: string; readonly work: string };
}

/** What a root is made for, in Koji's words. */
export interface RootQuestion
  extends Pick<
    RootRequest,
    'taskId' | 'buildrootId' | 'imageDigest' | 'group' | 'packages' | 'repos' | 'extra' | 'directory'
  > {
  readonly image: ImageChoice;
  /** Arch of the root. */
  readonly arch: string;
  /** Arch of the packages to be built: the root's, or noarch. */
  readonly packageArch: string;
}

/** The root to be made for it. */
export function toRootRequest(question: RootQuestion): RootRequest {
  const { image, arch, packageArch, ...rest } = question;
  return {
    ...rest,
    image: image.image,
    targetArch: targetArch(arch),
    rpmTarget: targetArch(packageArch),
    personality: personalityOf(arch) === 'linux32' ? 'linux32' : null,
    network: image.network === true ? 'host' : 'none',
  };
}

/** The root in mock's terms: the text of `mock_config.log`. `because`: why it has this image; `granted`: what the site file grants. */
export function describeRoot(
  request: RootRequest,
  host: { readonly site: SiteSettings; readonly processes: number | null },
  repo: { readonly id: number; readonly tagName: string },
  because: string,
  granted: readonly string[] = [],
): string {
  const { buildrootId, targetArch: arch, image, network, repos, extra } = request;
  const { site, processes } = host;
  return renderMockConfig({
    name: `${repo.tagName}-${buildrootId}-${repo.id}`,
    buildrootId,
    repoId: repo.id,
    tagName: repo.tagName,
    targetArch: arch,
    image,
    imageReason: because,
    site,
    granted,
    content: rootContent(request),
    hasNetwork: network !== 'none',
    packageManager: readSolverSettings(extra).packageManager,
    packageManagerConfig: renderPackageManagerConfig(repos, site, extra),
    macros: planMacros(site, extra, arch, processes),
    environment: planEnvironment(extra, processes),
  });
}

/** What the root consists of before BuildRequires come, as dnf's `install` is asked for it: `@build`. */
export function rootContent({ group, packages }: Pick<RootRequest, 'group' | 'packages'>): readonly string[] {
  return packages ?? [`@${group}`];
}

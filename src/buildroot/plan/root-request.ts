import type { ImageChoice } from '../../policy/resolver.ts';
import { personalityOf, targetArch } from '../../rpm/arch.ts';
import { type BuildrootHost, processesOf, type RootRequest } from '../steps/container-specs.ts';
import { renderPackageManagerConfig } from './dnf-conf.ts';
import { renderMockConfig } from './mock-config.ts';
import { planEnvironment, planMacros } from './mock-environment.ts';
import { readSolverSettings } from './tag-settings.ts';

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

/** The root in mock's terms: the text of `mock_config.log`. `because`: why it has this image; `opened`: what the site file opens. */
export function describeRoot(
  request: RootRequest,
  host: Pick<BuildrootHost, 'site' | 'limits' | 'codeLimits'>,
  repo: { readonly id: number; readonly tagName: string },
  because: string,
  opened: readonly string[] = [],
): string {
  const { buildrootId, targetArch: arch, image, network, repos, extra } = request;
  const { site } = host;
  const processes = processesOf(host);
  return renderMockConfig({
    ...{ name: `${repo.tagName}-${buildrootId}-${repo.id}`, buildrootId, repoId: repo.id },
    ...{ tagName: repo.tagName, targetArch: arch, image, imageReason: because, site, opened },
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

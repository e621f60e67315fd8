import type { TagExtra } from '../../policy/tag-extra-cache.ts';
import type { SiteSettings } from './mock-environment.ts';
import type { PackageRepo } from './repos.ts';
import { readSolverSettings } from './tag-settings.ts';

/**
 * `dnf.conf` of a solve phase: the same settings that koji gives mock, and for a task the same one repo `build`
 * (`koji/__init__.py genMockConfig`), so that the solver answers alike.
 */
export function renderPackageManagerConfig(
  repos: readonly PackageRepo[],
  site: SiteSettings,
  extra: TagExtra,
): string {
  const { moduleHotfixes, best } = readSolverSettings(extra);
  const lines = [
    '[main]',
    ...(site.proxy === null ? [] : [`proxy=${site.proxy}`]),
    'reposdir=/dev/null',
    'retries=20',
    'obsoletes=1',
    'gpgcheck=0',
    'assumeyes=1',
    'keepcache=1',
    'install_weak_deps=0',
    'strict=1',
    ...repos.flatMap(({ id, urls }) => [
      '',
      `[${id}]`,
      `name=${id}`,
      `baseurl=${urls.join('\n        ')}`,
      ...(moduleHotfixes ? ['module_hotfixes=1'] : []),
      ...(best ? ['best=1'] : []),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

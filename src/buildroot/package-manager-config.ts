import type { SiteSettings, TagExtra } from './mock-environment.ts';
import { readSolverSettings } from './tag-settings.ts';

/**
 * `dnf.conf` of a fetch phase: the same settings and the one repo `build` that koji gives mock
 * (`koji/__init__.py genMockConfig`), so that the solver answers alike.
 */
export function renderPackageManagerConfig(
  repoUrls: readonly string[],
  site: SiteSettings,
  extra: TagExtra,
): string {
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
    '',
    '[build]',
    'name=build',
    `baseurl=${repoUrls.join('\n        ')}`,
  ];
  const { moduleHotfixes, best } = readSolverSettings(extra);
  if (moduleHotfixes) lines.push('module_hotfixes=1');
  if (best) lines.push('best=1');
  return `${lines.join('\n')}\n`;
}

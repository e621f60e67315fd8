import { BadTagSetting, type SiteSettings, type TagExtra } from './mock-environment.ts';

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
  if (isTrue(extra['mock.yum.module_hotfixes'])) lines.push('module_hotfixes=1');
  const best = extra['mock.yum.best'];
  if (best !== undefined && best !== null) {
    if (!/^[01]$/.test(String(Number(best))))
      throw new BadTagSetting('tag extra mock.yum.best: must be 0 or 1');
    if (Number(best) === 1) lines.push('best=1');
  }
  return `${lines.join('\n')}\n`;
}

/** `mock.releasever` of the tag, or null. */
export function releaseVersion(extra: TagExtra): string | null {
  const value = extra['mock.releasever'];
  if (value === undefined || value === null) return null;
  const text = String(value);
  if (!/^[A-Za-z0-9._-]+$/.test(text))
    throw new BadTagSetting('tag extra mock.releasever: letters, digits, dot, dash and underscore only');
  return text;
}

function isTrue(value: unknown): boolean {
  return (
    value === true ||
    (typeof value === 'number' && value !== 0) ||
    (typeof value === 'string' && value !== '' && value !== '0')
  );
}

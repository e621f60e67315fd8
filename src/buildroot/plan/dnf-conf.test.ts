import { describe, expect, it } from 'vitest';
import { renderPackageManagerConfig } from './dnf-conf.ts';
import { BadTagSetting, type SiteSettings } from './mock-environment.ts';
import { hubRepo } from './repos.ts';

const site: SiteSettings = {
  vendor: 'v',
  packager: 'p',
  distribution: 'd',
  mockHost: 'm',
  buildHost: 'b',
  proxy: null,
  rpmbuildTimeoutSeconds: 60,
};

describe('renderPackageManagerConfig', () => {
  it('has one repo, called build, and nothing else the host may know', () => {
    expect(renderPackageManagerConfig([hubRepo(['http://hub/repos/t/1/x86_64'])], site, {})).toBe(
      [
        '[main]',
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
        'baseurl=http://hub/repos/t/1/x86_64',
        '',
      ].join('\n'),
    );
  });

  it('lists several URLs of the repo as continuation lines', () => {
    const text = renderPackageManagerConfig([hubRepo(['http://a/r', 'http://b/r'])], site, {});

    expect(text).toContain('\nbaseurl=http://a/r\n        http://b/r\n');
  });

  it('gives each of several repos a section of its own, with the settings of all', () => {
    const repos = [hubRepo(['http://a/r']), { id: 'build-2', urls: ['http://b/r'] }];
    const text = renderPackageManagerConfig(repos, site, { 'mock.yum.best': 1 });

    expect(text).toContain('\n\n[build]\nname=build\nbaseurl=http://a/r\nbest=1\n');
    expect(text.endsWith('\n\n[build-2]\nname=build-2\nbaseurl=http://b/r\nbest=1\n')).toBe(true);
  });

  it('goes through the proxy of the site', () => {
    const text = renderPackageManagerConfig([hubRepo(['u'])], { ...site, proxy: 'http://proxy:3128' }, {});

    expect(text.startsWith('[main]\nproxy=http://proxy:3128\n')).toBe(true);
  });

  it.each([
    ['module_hotfixes=1', 'mock.yum.module_hotfixes', true],
    ['module_hotfixes=1', 'mock.yum.module_hotfixes', 1],
    ['best=1', 'mock.yum.best', 1],
    ['best=1', 'mock.yum.best', '1'],
    ['best=1', 'mock.yum.best', true],
  ])('sets %s for the tag extra %s = %j', (line, key, value) => {
    const lines = renderPackageManagerConfig([hubRepo(['u'])], site, { [key]: value }).split('\n');

    expect(lines.indexOf(line)).toBeGreaterThan(lines.indexOf('[build]'));
  });

  it.each([
    ['mock.yum.module_hotfixes', false],
    ['mock.yum.module_hotfixes', 0],
    ['mock.yum.module_hotfixes', null],
    ['mock.yum.best', 0],
    ['mock.yum.best', '0'],
    ['mock.yum.best', null],
  ])('leaves the default for the tag extra %s = %j', (key, value) => {
    expect(renderPackageManagerConfig([hubRepo(['u'])], site, { [key]: value })).toBe(
      renderPackageManagerConfig([hubRepo(['u'])], site, {}),
    );
  });

  it.each([2, 'yes', {}])('refuses mock.yum.best = %j', (value) => {
    expect(() => renderPackageManagerConfig([hubRepo(['u'])], site, { 'mock.yum.best': value })).toThrow(
      BadTagSetting,
    );
  });
});

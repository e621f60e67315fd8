import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type MockConfigFacts, renderMockConfig } from './mock-config.ts';

const facts: MockConfigFacts = {
  name: 'td1-build-12-7',
  buildrootId: 12,
  repoId: 7,
  tagName: 'td1-build',
  targetArch: 'x86_64',
  content: ['@build'],
  packageManager: null,
  image: 'localhost/image:1',
  imageReason: 'task_image_default',
  hasNetwork: false,
  granted: [],
  packageManagerConfig: '[main]\nretries=20\n\n[build]\nbaseurl=http://hub/r\n',
  macros: new Map([
    ['%vendor', 'O\'Neil \\ "Sons"\t\u0001 é'],
    ['%_topdir', '/builddir/build'],
  ]),
  environment: { TERM: 'vt100', PS1: '<mock> \\$ ' },
  site: {
    vendor: 'v',
    packager: 'p',
    distribution: 'd',
    mockHost: 'm',
    buildHost: 'b',
    proxy: null,
    rpmbuildTimeoutSeconds: 3600,
  },
};

const hasPython = spawnSync('python3', ['--version']).status === 0;

describe('renderMockConfig', () => {
  const text = renderMockConfig(facts);

  it('names buildroot, repo, tag and image at its head', () => {
    const head = text.split('\n').filter((line) => line.startsWith('# '));

    expect(head).toEqual([
      expect.stringContaining('Koji Adjutant'),
      '# Koji buildroot id: 12',
      '# Koji buildroot name: td1-build-12-7',
      '# Koji repo id: 7',
      '# Koji tag: td1-build',
      '# Bootstrap image: localhost/image:1 (task_image_default)',
    ]);
  });

  it('names what the operator has opened', () => {
    const granted = ['device /dev/kvm (image tests; rules[0] of /site.json)'];

    expect(renderMockConfig({ ...facts, granted })).toContain(
      '\n# Opened by the site file: device /dev/kvm (image tests; rules[0] of /site.json)\n',
    );
  });

  it('names the package manager that the tag asks for', () => {
    expect(text).not.toContain('package_manager');
    expect(renderMockConfig({ ...facts, packageManager: 'dnf5' })).toContain(
      "\nconfig_opts['package_manager'] = 'dnf5'\n",
    );
  });

  it('sorts its options, macros and variables', () => {
    const keys = [...text.matchAll(/^config_opts(.*) = /gm)].map(([, key]) => key);

    expect(keys).toEqual([
      "['chroot_setup_cmd']",
      "['chroothome']",
      "['root']",
      "['rpmbuild_networking']",
      "['rpmbuild_timeout']",
      "['target_arch']",
      "['use_host_resolv']",
      "['yum.conf']",
      "['plugin_conf']['ccache_enable']",
      "['plugin_conf']['root_cache_enable']",
      "['plugin_conf']['yum_cache_enable']",
      "['macros']['%_topdir']",
      "['macros']['%vendor']",
      "['environment']['PS1']",
      "['environment']['TERM']",
    ]);
  });

  it.skipIf(!hasPython)('is Python that gives the values back', () => {
    const program = [
      'import json, sys',
      "config_opts = {'plugin_conf': {}, 'macros': {}, 'environment': {}}",
      'exec(sys.stdin.read())',
      'print(json.dumps(config_opts))',
    ].join('\n');

    const { stdout, stderr } = spawnSync('python3', ['-c', program], { input: text, encoding: 'utf8' });

    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      chroot_setup_cmd: 'install @build',
      chroothome: '/builddir',
      root: 'td1-build-12-7',
      rpmbuild_networking: false,
      rpmbuild_timeout: 3600,
      target_arch: 'x86_64',
      use_host_resolv: false,
      'yum.conf': facts.packageManagerConfig,
      plugin_conf: { ccache_enable: false, root_cache_enable: false, yum_cache_enable: false },
      macros: Object.fromEntries(facts.macros),
      environment: facts.environment,
    });
  });
});

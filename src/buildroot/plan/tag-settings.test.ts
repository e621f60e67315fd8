import { describe, expect, it } from 'vitest';
import { BuilderError } from '../../core/errors.ts';
import type { TagExtra } from '../../policy/tag-extra-cache.ts';
import { BuildrootUnsupported } from '../errors.ts';
import { renderPackageManagerConfig } from './dnf-conf.ts';
import { BadTagSetting, planEnvironment, planMacros } from './mock-environment.ts';
import { hubRepo } from './repos.ts';
import { checkTagSettings, readSolverSettings } from './tag-settings.ts';

const context = { targetArch: 'x86_64', machine: 'x86_64', mockBootstrapImage: false };
const check = (extra: TagExtra, more: Partial<typeof context> = {}) =>
  checkTagSettings(extra, { ...context, ...more });

/** What the signing plugin needs besides its switch. */
const signWith = { 'mock.plugin_conf.sign_opts.cmd': 'sign', 'mock.plugin_conf.sign_opts.opts': '-v' };

describe('readSolverSettings', () => {
  it('has nothing to say about a tag without settings', () => {
    expect(readSolverSettings({})).toEqual({
      best: false,
      moduleHotfixes: false,
      releaseVersion: null,
      packageManager: null,
    });
  });

  it.each([
    [null, null],
    [9, '9'],
    [9n, '9'],
    ['9.4-stream_x', '9.4-stream_x'],
  ])('reads mock.releasever %o as %o', (value, releaseVersion) => {
    expect(readSolverSettings({ 'mock.releasever': value })).toMatchObject({ releaseVersion });
  });

  it.each(['', '9; reboot', '$(x)', '9\n', ['9'], Object.create(null)])(
    'refuses mock.releasever %o',
    (value) => {
      expect(() => readSolverSettings({ 'mock.releasever': value })).toThrow('tag extra mock.releasever');
    },
  );

  it.each([
    [1, true],
    [1n, true],
    [' 1 ', true],
    [true, true],
    [0, false],
    ['0', false],
    [false, false],
    [null, false],
  ])('reads mock.yum.best %o as %o', (value, best) => {
    expect(readSolverSettings({ 'mock.yum.best': value })).toMatchObject({ best });
  });

  it.each([2, -1, 0.5, '', 'yes', [], [1], Object.create(null)])('refuses mock.yum.best %o', (value) => {
    expect(() => readSolverSettings({ 'mock.yum.best': value })).toThrow('tag extra mock.yum.best');
  });

  it.each([
    ['0', true],
    [[], false],
    [0, false],
  ])('takes mock.yum.module_hotfixes %j as Python does: %j', (value, moduleHotfixes) => {
    expect(readSolverSettings({ 'mock.yum.module_hotfixes': value })).toMatchObject({ moduleHotfixes });
  });
});

describe('mock.package_manager', () => {
  it.each([
    [undefined, null],
    [null, null],
    ['', null],
    ['dnf', 'dnf4'],
    ['dnf4', 'dnf4'],
    ['dnf5', 'dnf5'],
  ])('%j asks for %j', (value, packageManager) => {
    expect(readSolverSettings({ 'mock.package_manager': value })).toMatchObject({ packageManager });
  });
});

describe('checkTagSettings', () => {
  it.each([
    {},
    { 'mock.package_manager': 'dnf' },
    { 'mock.package_manager': 'dnf4' },
    { 'mock.package_manager': 'dnf5' },
    { 'mock.package_manager': '' },
    { 'mock.package_manager': null },
    { 'mock.forcearch': 1 },
    { 'mock.module_setup_commands': [] },
    { 'mock.module_setup_commands': null },
    { 'mock.plugin_conf.sign_enable': 0, ...signWith },
    { ...signWith },
    { 'mock.bootstrap_image': null, 'mock.bootstrap_image_ready': false },
  ])('has nothing against %j', (extra) => {
    expect(check(extra)).toEqual([]);
  });

  it.each([
    [
      'mock.package_manager is yum: this builder drives dnf 4 or dnf 5 only',
      { 'mock.package_manager': 'yum' },
    ],
    [
      'mock.package_manager is microdnf: this builder drives dnf 4 or dnf 5 only',
      { 'mock.package_manager': 'microdnf' },
    ],
    [
      'mock.module_setup_commands: this builder does not set up modules',
      { 'mock.module_setup_commands': [['enable', 'perl:5.32']] },
    ],
    [
      'mock.plugin_conf.sign_enable: this builder does not sign packages',
      { 'mock.plugin_conf.sign_enable': true, ...signWith },
    ],
  ])('leaves to other builders: %s', (message, extra) => {
    expect(() => check(extra)).toThrow(new BuildrootUnsupported(`tag extra ${message}`));
  });

  it.each([
    ['mock.package_manager: must be one of dnf, dnf4, ', { 'mock.package_manager': 'zypper' }],
    ['mock.package_manager: must be one of', { 'mock.package_manager': ['dnf'] }],
    ['mock.module_setup_commands: must be a list of pairs', { 'mock.module_setup_commands': 'enable' }],
    ['mock.module_setup_commands: must be a list', { 'mock.module_setup_commands': [['enable']] }],
    ['sign_opts.cmd and mock.plugin_conf.sign_opts.opts must', { 'mock.plugin_conf.sign_enable': false }],
  ])('fails what no builder can do: %s', (message, extra) => {
    expect(() => check(extra)).toThrow(BadTagSetting);
    expect(() => check(extra)).toThrow(message);
  });

  it.each([
    ['x86_64', 'x86_64'],
    ['i686', 'x86_64'],
    ['armv7hl', 'aarch64'],
  ])('takes mock.forcearch for %s on %s', (targetArch, machine) => {
    expect(check({ 'mock.forcearch': true }, { targetArch, machine })).toEqual([]);
  });

  it('leaves emulated arches to other builders', () => {
    expect(() => check({ 'mock.forcearch': 1 }, { targetArch: 'riscv64' })).toThrow(
      new BuildrootUnsupported('tag extra mock.forcearch: this builder does not emulate riscv64 on x86_64'),
    );
    expect(check({ 'mock.forcearch': 0 }, { targetArch: 'riscv64' })).toEqual([]);
  });

  it('names what means nothing here, whatever it says', () => {
    expect(
      check({
        'mock.new_chroot': 0,
        'mock.use_bootstrap': null,
        'mock.bootstrap_image_ready': 1,
        'mock.bootstrap_image': 'fedora:42',
      }),
    ).toEqual([
      'mock.new_chroot',
      'mock.use_bootstrap',
      'mock.bootstrap_image_ready',
      'mock.bootstrap_image (mock_bootstrap_image is off)',
    ]);
    expect(check({ 'mock.bootstrap_image': 'fedora:42' }, { mockBootstrapImage: true })).toEqual([]);
  });
});

describe('tag extras of any shape', () => {
  const keys = [
    ...['mock.forcearch', 'mock.package_manager', 'mock.releasever', 'mock.new_chroot', 'mock.use_bootstrap'],
    ...['mock.bootstrap_image', 'mock.bootstrap_image_ready', 'mock.module_setup_commands', 'mock.yum.best'],
    ...['mock.yum.module_hotfixes', 'mock.plugin_conf.sign_enable', 'mock.plugin_conf.sign_opts.cmd'],
    ...['mock.plugin_conf.sign_opts.opts', 'rpm.macro.dist', 'rpm.env.CFLAGS', 'rpm.macro.', 'rpm.env.'],
  ];
  // As the codec makes structs: without a prototype, and so without their own text.
  const struct = Object.assign(Object.create(null), { a: [null], toString: 1 });
  const shapes = [
    ...[null, true, false, 0, 1, -1.5, 2n ** 60n, '', '0', 'text', 'two\nlines', '\0', 'x'.repeat(70_000)],
    ...[[], [null], [[]], [['enable', struct]], [struct], struct, Object.create(null)],
  ];
  const site = {
    vendor: 'v',
    packager: 'p',
    distribution: 'd',
    mockHost: 'm',
    buildHost: 'b',
    proxy: null,
    rpmbuildTimeoutSeconds: 60,
  };

  it.each(keys)('are heeded or refused with the name of the key: %s', (key) => {
    for (const shape of shapes) {
      const extra: TagExtra = Object.assign(Object.create(null), { [key]: shape });
      const steps = [
        () => check(extra),
        () => planMacros(site, extra, 'x86_64'),
        () => planEnvironment(extra),
        () => renderPackageManagerConfig([hubRepo(['u'])], site, extra),
      ];
      for (const step of steps) {
        try {
          step();
        } catch (error) {
          expect(error).toBeInstanceOf(BuilderError);
          expect(String(error)).toContain(`tag extra ${key}`);
        }
      }
    }
  });
});

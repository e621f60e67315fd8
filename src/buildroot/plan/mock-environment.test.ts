import { describe, expect, it } from 'vitest';
import type { TagExtra } from '../../policy/tag-extra-cache.ts';
import {
  BadTagSetting,
  planEnvironment,
  planMacros,
  renderMacros,
  type SiteSettings,
} from './mock-environment.ts';

const site: SiteSettings = {
  vendor: 'Vendor',
  packager: 'Packager',
  distribution: 'Dist',
  mockHost: 'koji-linux-gnu',
  buildHost: 'host.example.com',
  proxy: null,
  rpmbuildTimeoutSeconds: 60,
};
const macros = (extra: TagExtra) => planMacros(site, extra, 'x86_64');

describe('planMacros', () => {
  it.each([
    [{}, '1'],
    [{ 'mock.forcearch': 0 }, '1'],
    [{ 'mock.forcearch': true }, '10'],
    [{ 'mock.forcearch': 1, 'rpm.macro._platform_multiplier': 3 }, '3'],
  ])('gives tests of a tag with %j time by the factor %s', (extra, factor) => {
    expect(planMacros(site, extra, 'x86_64').get('%_platform_multiplier')).toBe(factor);
  });

  it('begins with the macros of the site and of kojid', () => {
    expect(Object.fromEntries(macros({}))).toEqual({
      '%_rpmfilename': '%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm',
      '%vendor': 'Vendor',
      '%packager': 'Packager',
      '%distribution': 'Dist',
      '%_buildhost': 'host.example.com',
      '%_platform_multiplier': '1',
      '%_topdir': '/builddir/build',
      '%_host_cpu': 'x86_64',
      '%_host': 'x86_64-koji-linux-gnu',
    });
  });

  it('takes rpm.macro.* of the tag, which may replace those of the site', () => {
    const planned = macros({ 'rpm.macro.dist': '.td1', 'rpm.macro.vendor': 'Other', 'mock.best': 1 });

    expect(planned.get('%dist')).toBe('.td1');
    expect(planned.get('%vendor')).toBe('Other');
    expect(planned.has('%mock.best')).toBe(false);
  });

  it.each(['_topdir', '_host', '_host_cpu'])('does not let a tag change %%%s', (name) => {
    const extra = { [`rpm.macro.${name}`]: '/elsewhere', [`rpm.macro.${name}(x)`]: '/elsewhere' };
    const lines = renderMacros(macros(extra)).split('\n');

    const last = lines.findLast((line) => line.startsWith(`%${name} `) || line.startsWith(`%${name}(`));

    expect(last).not.toContain('/elsewhere');
    expect(macros(extra).get(`%${name}`)).toBe(macros({}).get(`%${name}`));
  });

  it.each([
    [7, '7'],
    [-1.5, '-1.5'],
    [true, 'True'],
    [false, 'False'],
    [null, 'None'],
    [9007199254740993n, '9007199254740993'],
    ['', ''],
  ])('writes %s as Python would', (value, written) => {
    expect(macros({ 'rpm.macro.x': value }).get('%x')).toBe(written);
  });

  it('takes the options of a macro with parameters', () => {
    expect(macros({ 'rpm.macro.shout(n:)': 'x' }).get('%shout(n:)')).toBe('x');
  });

  it.each(['', '1st', 'a b', 'a\nb', 'a(\n)', '%x', 'a-b', '(x)'])('refuses the name %j', (name) => {
    expect(() => macros({ [`rpm.macro.${name}`]: 'x' })).toThrow(BadTagSetting);
    expect(() => macros({ [`rpm.macro.${name}`]: 'x' })).toThrow(`rpm.macro.${name}`);
  });

  it.each([
    'two\nlines',
    'two\rlines',
    'nul\0',
    'goes on \\',
    'goes on \\\\\\',
    '%{open',
    '%(open',
    '%[open',
    '%{a{b}',
  ])('refuses the value %j, which would reach into the next line', (value) => {
    expect(() => macros({ 'rpm.macro.x': value })).toThrow(/tag extra rpm\.macro\.x:.*single line/);
  });

  it.each([
    '%{?dist}',
    '%{a{b}}',
    '%(echo "(x)")',
    '%[1 + (2)]',
    '%%{literal',
    '} ) ]',
    '(',
    'a \\b',
    'ends with \\\\ ',
    '\\%{x}',
  ])('takes the value %j', (value) => {
    expect(macros({ 'rpm.macro.x': value }).get('%x')).toBe(value);
  });

  it.each([[{ a: 1 }], [['a']]])('refuses the structure %j', (value) => {
    expect(() => macros({ 'rpm.macro.x': value })).toThrow('tag extra rpm.macro.x: must be text or a number');
  });
});

describe('what a build is told of its limits', () => {
  const told = (extra: TagExtra, processes: number | null) => ({
    macro: planMacros(site, extra, 'x86_64', processes).get('%_smp_ncpus_max'),
    variable: planEnvironment(extra, processes)['RPM_BUILD_NCPUS'],
  });

  it('is how many processes they hold', () => {
    expect(told({}, 3)).toEqual({ macro: '3', variable: '3' });
    expect(told({}, null)).toEqual({ macro: undefined, variable: undefined });
  });

  it('is what the tag says, where it does', () => {
    expect(told({ 'rpm.macro._smp_ncpus_max': 8 }, 3)).toEqual({ macro: '8', variable: undefined });
    expect(told({ 'rpm.env.RPM_BUILD_NCPUS': '7' }, 3)).toEqual({ macro: '3', variable: '7' });
  });
});

describe('planEnvironment', () => {
  it('is what mock gives the build user', () => {
    expect(planEnvironment({})).toEqual({
      TERM: 'vt100',
      SHELL: '/bin/bash',
      HOME: '/builddir',
      HOSTNAME: 'mock',
      PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
      PROMPT_COMMAND: 'printf "\\033]0;<mock-chroot>\\007"',
      PS1: '<mock-chroot> \\s-\\v\\$ ',
      LANG: 'C.UTF-8',
    });
  });

  it('puts rpm.env.* of the tag on top', () => {
    const planned = planEnvironment({ 'rpm.env.LANG': 'de_DE.UTF-8', 'rpm.env.N': 3, 'rpm.macro.x': 'y' });

    expect(planned).toMatchObject({ LANG: 'de_DE.UTF-8', N: '3', TERM: 'vt100' });
    expect(planned).not.toHaveProperty('x');
  });

  it.each(['', '1A', 'A B', 'A=B', 'A\nB'])('refuses the name %j', (name) => {
    expect(() => planEnvironment({ [`rpm.env.${name}`]: 'x' })).toThrow(
      `tag extra rpm.env.${name}: not the name`,
    );
  });

  it('refuses a value of several lines and takes any other', () => {
    expect(() => planEnvironment({ 'rpm.env.A': 'a\nb' })).toThrow('tag extra rpm.env.A: the value must be');
    expect(planEnvironment({ 'rpm.env.A': '%{open \\' })['A']).toBe('%{open \\');
  });
});

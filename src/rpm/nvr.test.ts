import { describe, expect, it } from 'vitest';
import { BadNvr } from './errors.ts';
import { formatNvr, formatNvra, parseNvr, parseNvra, toRpmFileName } from './nvr.ts';

// The expectations were checked against koji.parse_NVR and koji.parse_NVRA.
describe('parseNvr', () => {
  it.each([
    ['foo-1-2', { name: 'foo', version: '1', release: '2', epoch: '' }],
    ['12:foo-1-2', { name: 'foo', version: '1', release: '2', epoch: '12' }],
    [':x-1-2', { name: 'x', version: '1', release: '2', epoch: '' }],
    ['a:b:c-1-2', { name: 'b:c', version: '1', release: '2', epoch: 'a' }],
    ['gcc-c++-4.8~rc1-1.el7', { name: 'gcc-c++', version: '4.8~rc1', release: '1.el7', epoch: '' }],
    ['-1-2', { name: '', version: '1', release: '2', epoch: '' }],
  ])('splits %s', (text, parts) => {
    expect(parseNvr(text)).toEqual(parts);
  });

  it.each(['', 'foo', 'foo-1', 'foo-1-', 'foo--1', '--1'])('refuses "%s"', (text) => {
    expect(() => parseNvr(text)).toThrow(new BadNvr(text));
  });
});

describe('parseNvra', () => {
  it.each([
    [
      'foo-1-2.i386',
      { name: 'foo', version: '1', release: '2', epoch: '', arch: 'i386', isSource: false, location: null },
    ],
    [
      '3:foo-1-2.src',
      { name: 'foo', version: '1', release: '2', epoch: '3', arch: 'src', isSource: true, location: null },
    ],
    [
      'x-1-2.el9.nosrc.rpm',
      {
        name: 'x',
        version: '1',
        release: '2.el9',
        epoch: '',
        arch: 'nosrc',
        isSource: false,
        location: null,
      },
    ],
    [
      'x-1-2.a.rpm@ext@2',
      { name: 'x', version: '1', release: '2', epoch: '', arch: 'a', isSource: false, location: 'ext@2' },
    ],
    [
      'x-1-2.a@',
      { name: 'x', version: '1', release: '2', epoch: '', arch: 'a', isSource: false, location: null },
    ],
  ])('splits %s', (text, parts) => {
    expect(parseNvra(text)).toEqual(parts);
  });

  it.each(['', 'foo-1-2', 'foo-1-1.', 'foo-1.-1', 'foo-1.i386', '.rpm', '@'])('refuses "%s"', (text) => {
    expect(() => parseNvra(text)).toThrow(BadNvr);
  });
});

describe('formatting', () => {
  const nvra = { name: 'gcc-c++', version: '4.8', release: '1.el7', arch: 'x86_64' };

  it('joins what parsing splits', () => {
    expect(formatNvr(nvra)).toBe('gcc-c++-4.8-1.el7');
    expect(formatNvra(nvra)).toBe('gcc-c++-4.8-1.el7.x86_64');
    expect(parseNvra(toRpmFileName(nvra))).toMatchObject(nvra);
  });

  it('puts an epoch first, zero too', () => {
    expect(formatNvr(nvra, 0)).toBe('0:gcc-c++-4.8-1.el7');
    expect(formatNvr(nvra, null)).toBe('gcc-c++-4.8-1.el7');
  });
});

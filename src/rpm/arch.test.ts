import { describe, expect, it } from 'vitest';
import { canonArch, machineArch, personalityOf, splitArches, targetArch } from './arch.ts';

describe('canonArch', () => {
  it.each([
    ['i686', 'i386'],
    ['athlon', 'i386'],
    ['i6866', 'i6866'],
    ['x86_64', 'x86_64'],
    ['ia32e', 'x86_64'],
    ['amd64', 'amd64'],
    ['ppc64p7', 'ppc64'],
    ['ppc64le', 'ppc64le'],
    ['ppc64lex', 'ppc64'],
    ['ppc', 'ppc'],
    ['sparc64v', 'sparc64'],
    ['sparcv9', 'sparc'],
    ['alphaev6', 'alpha'],
    ['armv7hl', 'armhfp'],
    ['armv5tel', 'arm'],
    ['aarch64', 'aarch64'],
    ['noarch', 'noarch'],
    ['', ''],
  ])('maps %s to %s, as koji.canonArch', (arch, canonical) => {
    expect(canonArch(arch)).toBe(canonical);
  });
});

describe('splitArches', () => {
  it('takes any blanks, and nothing from null', () => {
    expect(splitArches(' x86_64  i386\n')).toEqual(['x86_64', 'i386']);
    expect(splitArches('')).toEqual([]);
    expect(splitArches(null)).toEqual([]);
  });
});

describe('targetArch', () => {
  it("translates koji's own word for hard-float ARM", () => {
    expect(targetArch('armhfp')).toBe('armv7hl');
    expect(targetArch('i686')).toBe('i686');
  });
});

describe('machineArch', () => {
  it.each([
    ['i386', 'x86_64'],
    ['armhfp', 'aarch64'],
    ['s390', 's390x'],
    ['x86_64', 'x86_64'],
    ['riscv64', 'riscv64'],
    ['amd64', 'x86_64'],
    ['x86_64_v2', 'x86_64'],
    ['x86_64_v3', 'x86_64'],
    ['x86_64_v4', 'x86_64'],
    ['x86_64_fp', 'x86_64_fp'],
    ['loongarch64', 'loongarch64'],
    ['noarch', 'noarch'],
  ])('makes roots of %s on %s', (arch, machine) => {
    expect(machineArch(arch)).toBe(machine);
  });
});

describe('personalityOf', () => {
  it.each([
    ['i686', 'linux32'],
    ['armv7hl', 'linux32'],
    ['armhfp', 'linux32'],
    ['s390', 'linux32'],
    ['x86_64', 'linux64'],
    ['s390x', 'linux64'],
    ['aarch64', null],
    ['ppc64le', null],
    ['noarch', null],
    ['x86_64_v2', null],
    ['amd64', null],
  ])('gives %s %s', (arch, personality) => {
    expect(personalityOf(arch)).toBe(personality);
  });
});

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readRpmHeader } from './header.ts';
import { toPackageFacts } from './package-facts.ts';
import {
  checkSrpmName,
  checkSrpmTags,
  onlyBuiltSrpm,
  onlyRebuiltSrpm,
  requireOneSpec,
  requireSourcePackage,
} from './srpm-check.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/rpm/${name}`, import.meta.url));

describe('requireSourcePackage', () => {
  it('accepts source packages and refuses binary ones', async () => {
    const source = toPackageFacts(await readRpmHeader(fixture('rich.src.rpm')));
    const binary = toPackageFacts(await readRpmHeader(fixture('rich.x86_64.rpm')));

    expect(() => requireSourcePackage(source, 'cli/rich.src.rpm')).not.toThrow();
    expect(() => requireSourcePackage(binary, 'cli/rich.rpm')).toThrow(
      /^cli\/rich\.rpm is not a source package$/,
    );
  });
});

describe('requireOneSpec', () => {
  const withSpecs = (...first: string[]) => ({ specs: { count: first.length, first } });

  it('accepts one, and no other number', () => {
    expect(() => requireOneSpec(withSpecs('rich.spec'))).not.toThrow();
    expect(() => requireOneSpec(withSpecs())).toThrow(/^No spec file found$/);
    expect(() => requireOneSpec(withSpecs('a.spec', 'b.txt'))).toThrow(
      expect.objectContaining({ faultCode: 1005, message: "Multiple spec files found: ['a.spec', 'b.txt']" }),
    );
  });

  it('tells the first few of many, and only the beginning of each', () => {
    const specs = { count: 200_000, first: Array.from({ length: 20 }, () => `${'x'.repeat(4000)}.spec`) };

    expect(() => requireOneSpec({ specs })).toThrow(/ and 199990 more$/);
    expect(() => requireOneSpec({ specs })).toThrow(/^.{0,4000}$/);
  });
});

describe('checkSrpmTags', () => {
  const tags = { packager: 'p', vendor: 'v', distribution: 'd' };

  it('accepts an SRPM that has all three', () => {
    expect(() => checkSrpmTags(tags)).not.toThrow();
  });

  it.each(['packager', 'vendor', 'distribution'] as const)('fails the build when %s is missing', (tag) => {
    const message = `The build system failed to set the ${tag} tag`;

    expect(() => checkSrpmTags({ ...tags, [tag]: null })).toThrow(message);
    expect(() => checkSrpmTags({ ...tags, [tag]: '' })).toThrow(
      expect.objectContaining({ faultCode: 1005, message }),
    );
  });
});

describe('onlyBuiltSrpm', () => {
  it('takes exactly one', () => {
    expect(onlyBuiltSrpm(5, ['a.src.rpm'])).toBe('a.src.rpm');
    expect(() => onlyBuiltSrpm(5, [])).toThrow(/^no srpm files found for task 5$/);
    expect(() => onlyBuiltSrpm(5, ['a.src.rpm', 'b.src.rpm'])).toThrow(
      "multiple srpm files found for task 5: ['a.src.rpm', 'b.src.rpm']",
    );
  });
});

describe('onlyRebuiltSrpm', () => {
  it('takes exactly one', () => {
    expect(onlyRebuiltSrpm('/r', ['a.src.rpm'])).toBe('a.src.rpm');
    expect(() => onlyRebuiltSrpm('/r', [])).toThrow('No srpms found in /r');
    expect(() => onlyRebuiltSrpm('/r', ['a', 'b'])).toThrow('Multiple srpms found in /r: a, b');
  });
});

describe('checkSrpmName', () => {
  it('compares the name with the header', async () => {
    const header = await readRpmHeader(fixture('rich.src.rpm'));

    expect(() => checkSrpmName(header, 'rich-1.0~rc1-2.fx.src.rpm')).not.toThrow();
    expect(() => checkSrpmName(header, 'rich-1.0-2.src.rpm')).toThrow(
      'srpm name mismatch: rich-1.0~rc1-2.fx.src.rpm != rich-1.0-2.src.rpm',
    );
  });
});

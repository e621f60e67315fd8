import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type RpmFile, readRpmHeader } from './header.ts';
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
    const source = await readRpmHeader(fixture('rich.src.rpm'));
    const binary = await readRpmHeader(fixture('rich.x86_64.rpm'));

    expect(() => requireSourcePackage(source, 'cli/rich.src.rpm')).not.toThrow();
    expect(() => requireSourcePackage(binary, 'cli/rich.rpm')).toThrow(
      /^cli\/rich\.rpm is not a source package$/,
    );
  });
});

describe('requireOneSpec', () => {
  const file: RpmFile = {
    ...{ path: '', sizeBytes: 1, mode: 0o100644, mtime: 0, flags: 0, rdev: 0, inode: 1, state: null },
    ...{ verifyFlags: 0, user: null, group: null, digest: '', linkTo: '', capabilities: '' },
  };
  const withFiles = (...files: (readonly [path: string, flags: number])[]) => ({
    files: () => files.map(([path, flags]) => ({ ...file, path, flags })),
  });

  it('accepts one spec file, whatever its sources are called', () => {
    const header = withFiles(['a.spec', 0], ['rich.spec', 32], ['b.spec', 0]);
    expect(() => requireOneSpec(header)).not.toThrow();
  });

  it('goes by the suffix where no file is marked', () => {
    const old = withFiles(['a.tar.gz', 0], ['a.spec', 0]);
    const none = withFiles(['a.tar.gz', 0]);
    const two = withFiles(['a.spec', 0], ['b.spec', 0]);

    expect(() => requireOneSpec(old)).not.toThrow();
    expect(() => requireOneSpec(none)).toThrow(/^No spec file found$/);
    expect(() => requireOneSpec(two)).toThrow("Multiple spec files found: ['a.spec', 'b.spec']");
  });

  it('refuses two marked ones', () => {
    const header = withFiles(['a.spec', 32], ['b.txt', 32]);
    expect(() => requireOneSpec(header)).toThrow(
      expect.objectContaining({ faultCode: 1005, message: "Multiple spec files found: ['a.spec', 'b.txt']" }),
    );
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

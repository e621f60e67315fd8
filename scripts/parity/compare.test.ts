import { describe, expect, it } from 'vitest';
import { packageDifferences } from './compare.ts';

describe('packageDifferences', () => {
  const of = (what: string, theirs: string, ours: string) =>
    packageDifferences('build/rpm a.rpm', [{ what, of: '/usr/bin/a', theirs, ours }], 1000.5, 2000.5);

  it('pass over times that lie in both builds', () => {
    expect(of('file.mtime', '1000', '2003')).toEqual([]);
    expect(of('buildtime', '1004', '2003')).toEqual([]);
  });

  it('keep a time that one side has kept from before its build', () => {
    expect(of('file.mtime', '999', '2003')).toEqual([
      { path: 'build/rpm a.rpm/file.mtime /usr/bin/a', kojid: '999', ours: '2003' },
    ]);
    expect(of('file.mtime', '1003', '1999')).toHaveLength(1);
  });

  it('keep all else', () => {
    expect(of('file.mode', '100644', '100755')).toEqual([
      { path: 'build/rpm a.rpm/file.mode /usr/bin/a', kojid: '100644', ours: '100755' },
    ]);
  });
});

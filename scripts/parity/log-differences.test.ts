import { describe, expect, it } from 'vitest';
import { logDifferences, toLines } from './log-differences.ts';
import { Whitelist } from './whitelist.ts';

const whitelist = Whitelist.parse({
  lines: [{ log: 'build.log', side: 'kojid', line: '^Mock Version: ', reason: 'mock' }],
  fields: [],
});
const differences = (kojid: string[], ours: string[], log = 'build.log') =>
  logDifferences('build', log, kojid, ours, whitelist);

describe('logDifferences', () => {
  it('leaves out lines of the whitelist, on their side of their log only', () => {
    expect(differences(['Mock Version: 6', 'a'], ['a'])).toEqual([]);
    expect(differences(['a'], ['Mock Version: 6', 'a'])).toEqual([
      { path: 'build/log build.log', kojid: null, ours: 'Mock Version: 6' },
    ]);
    expect(differences(['Mock Version: 6'], ['a'], 'root.log')).toEqual([
      { path: 'build/log root.log', kojid: 'Mock Version: 6', ours: 'a' },
    ]);
  });

  it('counts lines in another place as one difference of the order', () => {
    expect(differences(['a', 'b', 'c', 'd'], ['c', 'b', 'a', 'd'])).toEqual([
      { path: 'build/order of build.log', kojid: 'a\nb', ours: '(in another order)' },
    ]);
  });

  it('sees that a line stands there more often', () => {
    expect(differences(['x', 'a', 'x'], ['a', 'x'])).toEqual([
      { path: 'build/log build.log', kojid: 'x', ours: null },
    ]);
    expect(differences(['a', 'b', 'a'], ['b', 'b', 'a', 'a', 'a'])).toEqual([
      { path: 'build/log build.log', kojid: null, ours: 'b' },
      { path: 'build/log build.log', kojid: null, ours: 'a' },
      { path: 'build/order of build.log', kojid: 'a', ours: '(in another order)' },
    ]);
  });
});

describe('toLines', () => {
  it('takes the random part out of names of temporary files', () => {
    expect(toLines('Executing(%prep): /bin/sh -e /var/tmp/rpm-tmp.x1f9wa\nb')).toEqual([
      'Executing(%prep): /bin/sh -e /var/tmp/rpm-tmp.*',
      'b',
    ]);
  });
});

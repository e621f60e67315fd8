import { describe, expect, it } from 'vitest';
import { parseComps, toComps } from './comps.ts';

describe('comps', () => {
  const groups = [
    { name: 'build', packages: ['bash', 'gcc-c++'] },
    { name: 'srpm-build', packages: ['a&b'] },
  ];

  it('reads what it writes', () => {
    expect(parseComps(toComps(groups))).toEqual(groups);
  });

  it('reads the ids of groups and their packages, and nothing of the rest', () => {
    const xml = `<comps><group><id>build</id><name>Build root</name><packagelist>
      <packagereq type="mandatory"> bash </packagereq></packagelist></group>
      <category><id>all</id><grouplist><groupid>build</groupid></grouplist></category></comps>`;

    expect(parseComps(xml)).toEqual([{ name: 'build', packages: ['bash'] }]);
  });

  it('throws for what is no XML', () => {
    expect(() => parseComps('<comps><group>')).toThrow();
  });
});

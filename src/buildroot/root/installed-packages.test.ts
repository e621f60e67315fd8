import { describe, expect, it } from 'vitest';
import {
  BuildrootMismatch,
  type InstalledPackage,
  mapInternal,
  parseInstalled,
  renderInstalledLog,
} from './installed-packages.ts';

const hash = 'd41d8cd98f00b204e9800998ecf8427e';
const line = (...changed: [index: number, value: string][]) => {
  const fields = ['bash', '', '5.2', '1', 'x86_64', hash, '1234', '1700000000'];
  for (const [index, value] of changed) fields[index] = value;
  return `${fields.join('\t')}\n`;
};
const bash: InstalledPackage = {
  name: 'bash',
  epoch: null,
  version: '5.2',
  release: '1',
  arch: 'x86_64',
  payloadhash: hash,
  size: 1234,
  buildtime: 1_700_000_000,
};

describe('parseInstalled', () => {
  it('reads a package of each line', () => {
    expect(parseInstalled(line() + line([0, 'shadow'], [1, '2']))).toEqual([
      bash,
      { ...bash, name: 'shadow', epoch: 2 },
    ]);
  });

  it('keeps an epoch of 0 apart from none', () => {
    expect(parseInstalled(line([1, '0']))).toEqual([{ ...bash, epoch: 0 }]);
  });

  it('leaves out what is no package of the buildroot', () => {
    expect(parseInstalled(line([0, 'gpg-pubkey'], [5, '(none)']) + line([0, 'buildsys-build']))).toEqual([]);
  });

  it('reads nothing in an empty listing', () => {
    expect(parseInstalled('')).toEqual([]);
  });

  it('takes packages of more than 4 GiB', () => {
    expect(parseInstalled(line([6, '5000000000']))).toMatchObject([{ size: 5_000_000_000 }]);
  });

  it.each([
    ['too few fields', 'bash\t\t5.2\n'],
    ['too many fields', line().replace('\n', '\tmore\n')],
    ['no size', line([6, '(none)'])],
    ['no build time', line([7, ''])],
    ['an epoch that is no number', line([1, 'x'])],
    ['no hash', line([5, '(none)'])],
    ['no name', line([0, ''])],
  ])('refuses a line with %s and names it', (_what, broken) => {
    expect(() => parseInstalled(line() + broken)).toThrow(BuildrootMismatch);
    expect(() => parseInstalled(line() + broken)).toThrow(/line 2/);
  });
});

describe('mapInternal', () => {
  const known = {
    id: 42,
    name: 'bash',
    version: '5.2',
    release: '1',
    arch: 'x86_64',
    payloadhash: hash,
  };

  it('gives packages of the repo their id', () => {
    expect(mapInternal([bash], [{ ...known, arch: 'aarch64', id: 41 }, known])).toEqual([
      { ...bash, id: 42 },
    ]);
  });

  it('leaves a package that the repo does not list to the hub', () => {
    expect(mapInternal([bash], [])).toEqual([bash]);
  });

  it('leaves out what came from an external repo, even where the hub has the same', () => {
    const external = { ...bash, location: 3 };

    expect(mapInternal([external], [{ ...known, payloadhash: '0'.repeat(32) }])).toEqual([external]);
  });

  it('refuses a package of the same name with another hash', () => {
    const other = { ...known, payloadhash: '0'.repeat(32) };

    expect(() => mapInternal([bash], [other])).toThrow(
      `RPM: bash-5.2-1.x86_64: payloadhash: ${hash} mismatch expected ${'0'.repeat(32)} in rpmlist.jsonl`,
    );
  });
});

describe('renderInstalledLog', () => {
  it("has the form of mock's package_state plugin", () => {
    expect(renderInstalledLog([bash, { ...bash, name: 'shadow', epoch: 2 }])).toBe(
      'bash-5.2-1.x86_64 1700000000 1234 installed\nshadow-2:5.2-1.x86_64 1700000000 1234 installed\n',
    );
  });
});

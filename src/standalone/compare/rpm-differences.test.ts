import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  int16,
  int32,
  type Tags,
  text,
  texts,
  toHeaderBytes,
  toRpmBytes,
} from '../../../test/support/rpm-bytes.ts';
import { parseRpmHeader, type RpmHeader, readRpmHeader } from '../../rpm/header.ts';
import { rpmTag } from '../../rpm/header-tags.ts';
import { judgeDifferences } from './comparison.ts';
import { rpmDifferences } from './rpm-differences.ts';

const fixture = (name: string) =>
  readRpmHeader(fileURLToPath(new URL(`../../../test/fixtures/rpm/${name}`, import.meta.url)));

const identity: Tags = [
  [rpmTag.name, text('tiny')],
  [rpmTag.version, text('1')],
  [rpmTag.release, text('2')],
  [rpmTag.arch, text('noarch')],
];
const binary: Tags = [...identity, [rpmTag.sourceRpm, text('tiny-1-2.src.rpm')]];

function header(tags: Tags, of: Tags = binary): Promise<RpmHeader> {
  const signature = toHeaderBytes([[1000, int32(7)]]);
  return parseRpmHeader(toRpmBytes(signature, toHeaderBytes([...of, ...tags])));
}

/** A file list: path, mode, digest, link. */
function files(
  ...list: readonly (readonly [path: string, mode: number, digest: string, link: string])[]
): Tags {
  return [
    [rpmTag.fileModes, int16(...list.map(([, mode]) => mode))],
    [rpmTag.fileDigests, texts(...list.map(([, , digest]) => digest))],
    [rpmTag.fileLinkTos, texts(...list.map(([, , , link]) => link))],
    [rpmTag.dirIndexes, int32(...list.map((_, index) => index))],
    [rpmTag.baseNames, texts(...list.map(([path]) => path.slice(path.lastIndexOf('/') + 1)))],
    [rpmTag.dirNames, texts(...list.map(([path]) => path.slice(0, path.lastIndexOf('/') + 1)))],
  ];
}

async function differences(ours: Tags, theirs: Tags, of?: Tags) {
  return rpmDifferences(await header(ours, of), await header(theirs, of));
}

async function unexcused(ours: Tags, theirs: Tags, of?: Tags) {
  const judged = judgeDifferences(await differences(ours, theirs, of));
  return judged.filter(({ allowedBy }) => allowedBy === null);
}

const regular = 0o100644;
const symlink = 0o120777;

describe('rpmDifferences', () => {
  it.each(['rich.x86_64.rpm', 'rich-data.noarch.rpm', 'rich.src.rpm'])(
    'finds none between %s and itself',
    async (name) => {
      expect(rpmDifferences(await fixture(name), await fixture(name))).toEqual([]);
    },
  );

  it('shows a tag that differs, or that one side lacks, by the name rpm gives it', async () => {
    const found = await differences(
      [
        [rpmTag.vendor, text('Us')],
        [rpmTag.postIn, text('true')],
      ],
      [
        [rpmTag.vendor, text('Them')],
        [1122, text('-O2')],
      ],
    );

    expect(found).toEqual([
      { what: 'vendor', of: null, ours: 'Us', theirs: 'Them' },
      { what: 'postin', of: null, ours: 'true', theirs: null },
      { what: 'optflags', of: null, ours: null, theirs: '-O2' },
    ]);
  });

  it('compares tags that nobody knows yet', async () => {
    expect(await differences([[6789, int32(1, 2)]], [[6789, int32(1, 3)]])).toEqual([
      { what: 'tag 6789', of: null, ours: '[1,2]', theirs: '[1,3]' },
    ]);
  });

  it('compares dependencies with versions and flags, in any order', async () => {
    const requires = (names: string[], flags: number[], versions: string[]): Tags => [
      [rpmTag.requireFlags, int32(...flags)],
      [rpmTag.requireName, texts(...names)],
      [rpmTag.requireVersion, texts(...versions)],
    ];

    const found = await differences(
      requires(['foo', 'bar', '/bin/sh'], [12, 0, 1 << 10], ['1', '', '']),
      requires(['bar', 'foo', '/bin/sh'], [0, 8, 1 << 9], ['', '1', '']),
    );

    expect(found).toEqual([
      { what: 'requires', of: '/bin/sh (post)', ours: '/bin/sh (post)', theirs: null },
      { what: 'requires', of: '/bin/sh (pre)', ours: null, theirs: '/bin/sh (pre)' },
      { what: 'requires', of: 'foo = 1', ours: null, theirs: 'foo = 1' },
      { what: 'requires', of: 'foo >= 1', ours: 'foo >= 1', theirs: null },
    ]);
  });

  it('compares files by path, whatever else is in the list', async () => {
    const found = await differences(
      files(['/a/extra', regular, 'd', ''], ['/b/both', 0o100755, 'd', '']),
      files(['/b/both', regular, 'd', '']),
    );

    expect(found).toEqual([
      { what: 'file', of: '/a/extra', ours: '/a/extra', theirs: null },
      { what: 'file.mode', of: '/b/both', ours: '100755', theirs: '100644' },
    ]);
  });
});

describe('judgeDifferences', () => {
  it('excuses what the time and the host of a build change', async () => {
    const built = (time: number, host: string): Tags => [
      [rpmTag.buildTime, int32(time)],
      [rpmTag.buildHost, text(host)],
      ...files(['/f', regular, `digest ${time}`, '']),
    ];

    const judged = judgeDifferences(await differences(built(1, 'a'), built(2, 'b')));

    expect(judged.map(({ what, allowedBy }) => [what, allowedBy?.id])).toEqual([
      ['buildtime', 'build-time'],
      ['buildhost', 'build-host'],
      ['file.digest', 'file-content'],
    ]);
  });

  it('excuses another build id where the link leads to the same program', async () => {
    const linked = (id: string, program: string): Tags =>
      files([`/usr/lib/.build-id/${id}`, symlink, '', `../../../../usr/bin/${program}`]);

    expect(await unexcused(linked('ab/cdef01', 'x'), linked('12/345678', 'x'))).toEqual([]);
    expect(await unexcused(linked('ab/cdef01', 'x'), linked('12/345678', 'y'))).toHaveLength(2);
    expect(await unexcused(linked('ab/cdef01', 'x'), [])).toHaveLength(1);
  });

  it('does not excuse another content of a source', async () => {
    const source = (digest: string): Tags => files(['tiny.spec', regular, digest, '']);

    expect(await unexcused(source('one'), source('two'), identity)).toEqual([
      { what: 'source.digest', of: 'tiny.spec', ours: 'one', theirs: 'two', allowedBy: null },
    ]);
  });

  it('does not excuse what nobody has given a reason for', async () => {
    const found = await unexcused([[rpmTag.vendor, text('Us')]], [[rpmTag.vendor, text('Them')]]);

    expect(found.map(({ what }) => what)).toEqual(['vendor']);
  });
});

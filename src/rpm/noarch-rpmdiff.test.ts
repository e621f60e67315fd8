import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import expected from '../../test/fixtures/rpm/expected.json' with { type: 'json' };
import {
  int16,
  int32,
  type Tags,
  text,
  texts,
  toHeaderBytes,
  toRpmBytes,
} from '../../test/support/rpm-bytes.ts';
import { never } from '../core/never.ts';
import { parseRpmHeader, readRpmHeader } from './header.ts';
import { noarchRpmdiffHash, toNoarchRpmdiffJson } from './noarch-rpmdiff.ts';
import { noarchRpmdiffHashes } from './package-reader.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/rpm/${name}`, import.meta.url));
const camel = '\u{1f42a}';
const notUtf8 = Buffer.concat([
  Buffer.from('bad \u007f '),
  Buffer.from('e28241eda080fff09f', 'hex'),
  Buffer.from(camel),
]);

/** A package with all that could tell Python's JSON from ours: byte strings, code point order, signed numbers. */
const odd: Tags = [
  [1000, text('odd')],
  [1001, text('1')],
  [1002, text('1')],
  [1004, { type: 'i18n', values: [notUtf8] }],
  [1021, text('linux')],
  [1022, text('noarch')],
  [1028, int32(1, 4_000_000_000)],
  [1030, int16(0xffff, 0x81a4)],
  [1033, int16(0xffff, 1)],
  [1034, int32(1, 0xffffffff)],
  [1035, texts('', '')],
  [1036, texts('', '')],
  [1037, int32(0xffffffff, 0x80000000)],
  [1039, texts(Uint8Array.of(0xfc), 'root')],
  [1040, texts('root', camel)],
  [1044, text('odd-1-1.src.rpm')],
  [1045, int32(0xffffffff, 0)],
  [1047, texts('odd', '\ufffd', camel, 'odd')],
  [1048, int32(0x80000008)],
  [1049, texts('x')],
  [1050, texts('2')],
  [1095, int32(1, 1)],
  [1096, int32(0xffffffff, 7)],
  [1097, texts('', '')],
  [1112, int32(8, 0, 0, 0xffffffff)],
  [1113, texts('1-1', '', '', '')],
  [1116, int32(0, 0)],
  [1117, texts(camel, Uint8Array.of(0xff, 0x61))],
  [1118, texts('/')],
];
/** What `koji.rpmdiff.Rpmdiff(f, f, ignore='S5TN').kojihash()` says of it. */
const oddHash = '0c45c039cc1bfd83ce53ce644f89c60d5655a8a05d105874e3febc0de94ca9cd';

const hashOf = async (tags: Tags) =>
  noarchRpmdiffHash(await parseRpmHeader(toRpmBytes(toHeaderBytes([[1000, int32(5)]]), toHeaderBytes(tags))));
const changed = (tag: number, value: Tags[number][1]) =>
  odd.map((entry): Tags[number] => (entry[0] === tag ? [tag, value] : entry));

describe('noarchRpmdiffHash', () => {
  it.each(Object.entries(expected))("equals koji's hash of %s", async (name, { rpmdiffHash }) => {
    expect(noarchRpmdiffHash(await readRpmHeader(fixture(name)))).toBe(rpmdiffHash);
  });

  it("equals koji's hash of a package with the oddest values", async () => {
    expect(await hashOf(odd)).toBe(oddHash);
  });

  it('does not see sizes, times and digests', async () => {
    expect(await hashOf(changed(1028, int32(9, 9)))).toBe(oddHash);
    expect(await hashOf(changed(1034, int32(9, 9)))).toBe(oddHash);
    expect(await hashOf(changed(1035, texts('aa', 'bb')))).toBe(oddHash);
  });

  it('sees modes, owners and dependencies', async () => {
    expect(await hashOf(changed(1030, int16(0x81a4, 0x81a4)))).not.toBe(oddHash);
    expect(await hashOf(changed(1039, texts('koji', 'root')))).not.toBe(oddHash);
    expect(await hashOf(changed(1050, texts('3')))).not.toBe(oddHash);
  });
});

describe('noarchRpmdiffHashes', () => {
  it('hashes the noarch packages of a result by file name', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'noarch-rpmdiff-'));
    const name = 'rich-data-1.0~rc1-2.fx.noarch.rpm';
    await copyFile(fixture('rich-data.noarch.rpm'), join(directory, name));

    const hashes = await noarchRpmdiffHashes(
      [join(directory, name), join(directory, 'rich-1-1.x86_64.rpm'), join(directory, 'build.log')],
      never,
    );

    expect([...hashes]).toEqual([[name, expected['rich-data.noarch.rpm'].rpmdiffHash]]);
    await rm(directory, { recursive: true });
  });
});

describe('toNoarchRpmdiffJson', () => {
  it('writes what kojid writes', () => {
    const hashes = new Map([
      ['b-1-1.noarch.rpm', 'bb'],
      ['a-1-1.noarch.rpm', 'aa'],
    ]);

    expect(toNoarchRpmdiffJson(12, hashes)).toBe(
      '{\n  "12": {\n    "a-1-1.noarch.rpm": "aa",\n    "b-1-1.noarch.rpm": "bb"\n  }\n}',
    );
  });
});

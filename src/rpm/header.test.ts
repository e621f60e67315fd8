import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import expected from '../../test/fixtures/rpm/expected.json' with { type: 'json' };
import {
  type IndexEntry,
  int16,
  int32,
  type Tags,
  text,
  texts,
  toHeaderBytes,
  toIntro,
  toRpmBytes,
} from '../../test/support/rpm-bytes.ts';
import { BadRpm } from './errors.ts';
import { parseRpmHeader, type RpmHeader, readRpmHeader } from './header.ts';

const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/rpm/${name}`, import.meta.url));
const signature = toHeaderBytes([[1000, int32(7)]]);
const minimal: Tags = [
  [1000, text('tiny')],
  [1001, text('1')],
  [1002, text('2')],
  [1022, text('noarch')],
  [1044, text('tiny-1-2.src.rpm')],
];
const parseMain = (tags: Tags, spoil?: (entry: IndexEntry) => void) =>
  parseRpmHeader(toRpmBytes(signature, toHeaderBytes(tags, spoil)));

async function* inChunks(bytes: Uint8Array, size: number, onEnd?: () => void): AsyncGenerator<Uint8Array> {
  try {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  } finally {
    onEnd?.();
  }
}

/** Everything the header knows, in the form of the expectations that rpm's own Python module made. */
function describeHeader(header: RpmHeader) {
  const dependencies = (kind: 'requires' | 'provides' | 'conflicts' | 'obsoletes') =>
    header.dependencies(kind).map(({ name, flags, version }) => [name, flags, version]);
  return {
    ...header,
    fileArch: header.fileArch,
    requires: dependencies('requires'),
    provides: dependencies('provides'),
    conflicts: dependencies('conflicts'),
    obsoletes: dependencies('obsoletes'),
    files: header.files().map(({ state, ...file }) => file),
  };
}

describe('readRpmHeader', () => {
  it.each(Object.entries(expected))(
    'reads from %s what rpm reads',
    async (name, { rpmdiffHash, ...fields }) => {
      const header = await readRpmHeader(fixture(name));

      expect(describeHeader(header)).toEqual(fields);
    },
  );

  it('names the file that is no RPM', async () => {
    await expect(readRpmHeader(fixture('rich.spec'))).rejects.toThrow(
      /^rich\.spec: not an RPM: starts with 2320536d \("# Small, but wit"\)/,
    );
  });

  it('passes on that a file does not exist', async () => {
    await expect(readRpmHeader(fixture('missing.rpm'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('stops at an aborted signal', async () => {
    await expect(readRpmHeader(fixture('rich.src.rpm'), AbortSignal.abort())).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('parseRpmHeader', () => {
  it('reads a stream in chunks of any size and lets it go after the header', async () => {
    const bytes = Buffer.concat([await readFile(fixture('rich.src.rpm')), Buffer.alloc(100_000)]);
    for (const size of [1, 95, 4096]) {
      let taken = 0;
      let ended = false;
      const stream = (async function* () {
        for await (const chunk of inChunks(bytes, size, () => (ended = true))) {
          taken += chunk.length;
          yield chunk;
        }
      })();

      const header = await parseRpmHeader(stream);

      expect(header.name).toBe('rich');
      expect(ended).toBe(true);
      expect(taken).toBeLessThan(16_000);
    }
  });

  it('passes on an error of the stream', async () => {
    const stream = (async function* () {
      yield Buffer.from('edabeedb', 'hex');
      throw new Error('connection lost');
    })();

    await expect(parseRpmHeader(stream)).rejects.toThrow('connection lost');
  });

  it('reads a package without MD5, as rpm 6 makes them', async () => {
    const header = await parseMain(minimal);

    expect(header).toMatchObject({
      sigMd5: null,
      payloadSha256: null,
      epoch: null,
      isSource: false,
      sizeBytes: null,
    });
    expect(header.files()).toEqual([]);
  });

  it('takes sizes beyond 32 bits', async () => {
    const header = await parseMain([...minimal, [5009, { type: 'int64', values: [6_000_000_000] }]]);

    expect(header.sizeBytes).toBe(6_000_000_000);
  });

  it('takes the untranslated text', async () => {
    const header = await parseMain([
      ...minimal.slice(0, 3),
      [1004, { type: 'i18n', values: ['words', 'Worte'] }],
      ...minimal.slice(3),
    ]);

    expect(header.text(1004)).toBe('words');
  });

  it('keeps bytes that are no UTF-8', async () => {
    const header = await parseMain([...minimal, [1015, text(Uint8Array.of(0x4d, 0xfc))]]);

    expect(header.packager).toBe('M\udcfc');
  });

  it.each([
    ['an empty file', Buffer.alloc(0), /^not an RPM: the file is empty$/],
    [
      'a web page',
      Buffer.from('<!DOCTYPE html><html>'),
      /^not an RPM: starts with 3c21444f \("<!DOCTYPE html><"\)/,
    ],
    [
      'a lead cut short',
      Buffer.from('edabeedb0300', 'hex'),
      /^truncated lead: the file ends after 6 bytes, 90 too early$/,
    ],
    [
      'a lead alone',
      toRpmBytes(Buffer.alloc(0), Buffer.alloc(0), Buffer.alloc(0)),
      /^truncated signature header/,
    ],
    [
      'zeros instead of a signature',
      toRpmBytes(Buffer.alloc(64), signature),
      /^bad signature header: starts with 00000000/,
    ],
    ['too many signature entries', toRpmBytes(toIntro(33, 16), signature), /33 entries, 1 to 32 are allowed/],
    ['no entries', toRpmBytes(signature, toIntro(0, 16)), /^bad main header: 0 entries/],
    [
      'a huge store',
      toRpmBytes(signature, toIntro(1, 0xffffffff)),
      /4294967295 bytes of data, 1 to 67108864/,
    ],
    ['a store that does not come', toRpmBytes(signature, toIntro(1, 60_000_000)), /^truncated main header/],
  ])('refuses %s', async (_what, bytes, message) => {
    const failure = parseRpmHeader(bytes);

    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toBeInstanceOf(BadRpm);
  });

  it('refuses another signature type', async () => {
    const bytes = toRpmBytes(signature, toHeaderBytes(minimal));
    bytes.writeUInt16BE(1, 78);

    await expect(parseRpmHeader(bytes)).rejects.toThrow('signature type 1 instead of 5');
  });

  it.each<[string, (entry: IndexEntry) => void, RegExp]>([
    ['an unknown type', (entry) => (entry.type = 17), /tag 1000 has unknown type 17/],
    ['an offset outside', (entry) => (entry.offset += 1000), /points outside of the data/],
    ['a count outside', (entry) => (entry.count = 0xffffffff), /points outside of the data/],
    ['a count of nothing', (entry) => (entry.count = 0), /points outside of the data/],
    ['a string that counts two', (entry) => (entry.count = 2), /is a string that counts 2/],
    ['the same tag again', (entry) => (entry.tag = 1000), /tag 1000 occurs twice/],
    ['overlapping data', (entry) => (entry.offset = 0), /tag 1001 overlaps the entry before it/],
    [
      'numbers for a name',
      (entry) => (entry.type = 2),
      /tag 1000 has type 2 and count 1, it should be a string/,
    ],
    ['a bad region mark', (entry) => (entry.tag = 63), /bad region mark 63/],
  ])('refuses %s', async (_what, spoil, message) => {
    await expect(parseMain(minimal, spoil)).rejects.toThrow(message);
  });

  it('refuses a string without end', async () => {
    const bytes = toRpmBytes(signature, toHeaderBytes(minimal), Buffer.alloc(0));
    bytes[bytes.length - 1] = 0x41;

    await expect(parseRpmHeader(bytes)).rejects.toThrow('a string of tag 1044 does not end');
  });

  it('refuses numbers that are not aligned', async () => {
    const spoil = (entry: IndexEntry) => {
      if (entry.tag === 1003) entry.offset += 1;
    };

    await expect(
      parseMain([...minimal.slice(0, 3), [1003, int32(1, 2)], ...minimal.slice(3)], spoil),
    ).rejects.toThrow('tag 1003 is not aligned');
  });

  it('refuses a number no file can have', async () => {
    const bytes = toRpmBytes(
      signature,
      toHeaderBytes([...minimal, [5009, { type: 'int64', values: [2 ** 60] }]]),
    );

    await expect(parseRpmHeader(bytes)).rejects.toThrow('tag 5009 has the absurd value 1152921504606846976');
  });

  it.each([
    ['name', 1000],
    ['version', 1001],
    ['release', 1002],
    ['arch', 1022],
  ])('refuses a header without %s', async (what, tag) => {
    await expect(parseMain(minimal.filter(([number]) => number !== tag))).rejects.toThrow(
      `it has no ${what}`,
    );
  });

  it('refuses lists that contradict each other when they are asked for', async () => {
    const files = await parseMain([
      ...minimal,
      [1116, int32(0)],
      [1117, texts('a', 'b')],
      [1118, texts('/')],
    ]);
    const places = await parseMain([...minimal, [1116, int32(1)], [1117, texts('a')], [1118, texts('/')]]);
    const modes = await parseMain([
      ...minimal.slice(0, 4),
      [1030, int16(1, 2)],
      [1116, int32(0)],
      [1117, texts('a')],
      [1118, texts('/')],
    ]);
    const needs = await parseMain([
      ...minimal,
      [1048, int32(0)],
      [1049, texts('a', 'b')],
      [1050, texts('', '')],
    ]);
    const old = await parseMain([...minimal.slice(0, 4), [1027, texts('/a')]]);

    expect(() => files.files()).toThrow('2 file names but 1 directory indexes');
    expect(() => places.files()).toThrow('file a lies in no directory of the list');
    expect(() => modes.files()).toThrow('1 file names but 2 modes');
    expect(() => needs.dependencies('requires')).toThrow('2 requires names but 1 flags');
    expect(() => old.files()).toThrow('form of rpm 3');
  });

  it('answers any damage with a header or a BadRpm', async () => {
    const sound = await readFile(fixture('rich-data.noarch.rpm'));
    const damage = fc.array(fc.tuple(fc.nat(6000), fc.nat(255)), { minLength: 1, maxLength: 12 });
    let refused = 0;

    await fc.assert(
      fc.asyncProperty(damage, fc.integer({ min: 0, max: sound.length }), async (changes, length) => {
        const bytes = Buffer.from(sound);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          describeHeader(await parseRpmHeader(bytes.subarray(0, Math.max(length, 3000))));
        } catch (error) {
          expect(error).toBeInstanceOf(BadRpm);
          refused += 1;
        }
      }),
      { numRuns: 400 },
    );

    expect(refused).toBeGreaterThan(0);
  });
});

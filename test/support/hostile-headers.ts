import { type IndexEntry, toHeader } from '../../src/rpm/header-bytes.ts';
import { int32, toHeaderBytes, toRpmBytes } from './rpm-bytes.ts';

/** A tag with the bytes of its data: what no writer of packages would make. */
export type RawTag = readonly [tag: number, type: number, count: number, data: Buffer];

const string = (tag: number, text: string): RawTag => [tag, 6, 1, Buffer.from(`${text}\0`)];

/** All that a header needs. */
export const minimalTags: readonly RawTag[] = [
  string(1000, 'bomb'),
  string(1001, '1'),
  string(1002, '1'),
  string(1022, 'noarch'),
];

/** The same string again and again. */
export function filledStrings(text: string, count: number): Buffer {
  return Buffer.alloc(count * (text.length + 1), `${text}\0`);
}

/** A package whose main header has these tags in this order, aligned as rpm has them. */
export function toRpmWithRawMain(tags: readonly RawTag[]): Buffer {
  const index: IndexEntry[] = [];
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [tag, type, count, data] of tags) {
    const width = { 3: 2, 4: 4, 5: 8 }[type] ?? 1;
    const padding = Buffer.alloc((width - (offset % width)) % width);
    offset += padding.length;
    index.push({ tag, type, offset, count });
    parts.push(padding, data);
    offset += data.length;
  }
  return toRpmBytes(toHeaderBytes([[1000, int32(7)]]), toHeader(index, Buffer.concat(parts)));
}

const mebi = 1024 * 1024;

function sourceBomb(bytes: number): Buffer {
  // Two bytes for a file: an empty name, and an index that takes one.
  const count = Math.floor(bytes / 2);
  return toRpmWithRawMain([
    ...minimalTags,
    [1106, 4, 1, Buffer.from('00000001', 'hex')],
    [1116, 2, count, Buffer.alloc(count)],
    [1117, 8, count, Buffer.alloc(count)],
    [1118, 8, 1, Buffer.alloc(1)],
  ]);
}

/** Headers that announce as much as their bytes allow, each in another way. */
export const hostileHeaders: Readonly<Record<string, () => Buffer>> = {
  files: () => sourceBomb(63 * mebi),
  'files with whole indexes': () => {
    const count = 12 * mebi;
    return toRpmWithRawMain([
      ...minimalTags,
      [1116, 4, count, Buffer.alloc(4 * count)],
      [1117, 8, count, Buffer.alloc(count)],
      [1118, 8, 1, Buffer.alloc(1)],
    ]);
  },
  dependencies: () => {
    const count = 20 * mebi;
    return toRpmWithRawMain([
      ...minimalTags,
      [1048, 2, count, Buffer.alloc(count)],
      [1049, 8, count, Buffer.alloc(count)],
      [1050, 8, count, Buffer.alloc(count)],
    ]);
  },
  arches: () => toRpmWithRawMain([...minimalTags, [1061, 8, 60 * mebi, Buffer.alloc(60 * mebi)]]),
  'sources left out': () => toRpmWithRawMain([...minimalTags, [1051, 2, 60 * mebi, Buffer.alloc(60 * mebi)]]),
  'a tag that nobody knows': () =>
    toRpmWithRawMain([...minimalTags, [6001, 8, 60 * mebi, Buffer.alloc(60 * mebi)]]),
  'many tags that nobody knows': () =>
    toRpmWithRawMain([
      ...minimalTags,
      ...Array.from({ length: 60 }, (_, i): RawTag => [6001 + i, 8, 250_000, Buffer.alloc(250_000)]),
    ]),
  'one string': () =>
    toRpmWithRawMain([
      ...minimalTags,
      [1015, 6, 1, Buffer.concat([Buffer.alloc(60 * mebi, 0xff), Buffer.alloc(1)])],
    ]),
  translations: () => toRpmWithRawMain([...minimalTags, [1004, 9, 60 * mebi, Buffer.alloc(60 * mebi)]]),
};

/** The package of the review: its list of files fills what a header may have. */
export const fileBomb = (): Buffer => sourceBomb(63 * mebi);

/** Headers of RPM files as bytes: the one direction in which `header-blob.ts` does not go. */

const typeCode = {
  int8: 2,
  int16: 3,
  int32: 4,
  int64: 5,
  string: 6,
  binary: 7,
  strings: 8,
  i18n: 9,
} as const;

export type TagValue =
  | { readonly type: 'int8' | 'int16' | 'int32' | 'int64'; readonly values: readonly number[] }
  | { readonly type: 'string' | 'strings' | 'i18n'; readonly values: readonly (string | Uint8Array)[] }
  | { readonly type: 'binary'; readonly values: Uint8Array };

/** One index entry as it lies in the file. */
export interface IndexEntry {
  tag: number;
  type: number;
  offset: number;
  count: number;
}

export type Tags = readonly (readonly [tag: number, value: TagValue])[];

const widths = { int8: 1, int16: 2, int32: 4, int64: 8 } as const;

/** Index and data of a header with these tags, in the given order. */
export function layOutTags(tags: Tags): { readonly index: IndexEntry[]; readonly store: Buffer } {
  const index: IndexEntry[] = [];
  const parts: Buffer[] = [];
  let offset = 0;
  const append = (bytes: Buffer) => {
    parts.push(bytes);
    offset += bytes.length;
  };
  for (const [tag, value] of tags) {
    const width = value.type in widths ? widths[value.type as keyof typeof widths] : 1; // checked by `in`
    append(Buffer.alloc((width - (offset % width)) % width));
    index.push({ tag, type: typeCode[value.type], offset, count: value.values.length });
    append(toDataBytes(value));
  }
  return { index, store: Buffer.concat(parts) };
}

/** The header structure of an index and its data. */
export function toHeader(index: readonly IndexEntry[], store: Uint8Array): Buffer {
  return Buffer.concat([toIntro(index.length, store.length), ...index.map(toEntryBytes), store]);
}

/** The 16 bytes before an index. */
export function toIntro(entries: number, storeBytes: number): Buffer {
  const intro = Buffer.from('8eade8010000000000000000' + '00000000', 'hex');
  intro.writeUInt32BE(entries, 8);
  intro.writeUInt32BE(storeBytes, 12);
  return intro;
}

export function toEntryBytes({ tag, type, offset, count }: IndexEntry): Buffer {
  const bytes = Buffer.alloc(16);
  [tag, type, offset, count].forEach((field, i) => {
    // Offsets of regions are negative.
    bytes.writeUInt32BE(field >>> 0, 4 * i);
  });
  return bytes;
}

export function text(value: string | Uint8Array): TagValue {
  return { type: 'string', values: [value] };
}

export function texts(...values: readonly (string | Uint8Array)[]): TagValue {
  return { type: 'strings', values };
}

export function int32(...values: readonly number[]): TagValue {
  return { type: 'int32', values };
}

export function int16(...values: readonly number[]): TagValue {
  return { type: 'int16', values };
}

function toDataBytes(value: TagValue): Buffer {
  switch (value.type) {
    case 'binary':
      return Buffer.from(value.values);
    case 'string':
    case 'strings':
    case 'i18n':
      return Buffer.concat(value.values.flatMap((item) => [Buffer.from(item), Buffer.alloc(1)]));
    case 'int64': {
      const bytes = Buffer.alloc(8 * value.values.length);
      value.values.forEach((number, i) => {
        bytes.writeBigUInt64BE(BigInt(number), 8 * i);
      });
      return bytes;
    }
    default: {
      const width = widths[value.type];
      const bytes = Buffer.alloc(width * value.values.length);
      value.values.forEach((number, i) => {
        bytes.writeUIntBE(number, width * i, width);
      });
      return bytes;
    }
  }
}

/** Makes RPM files byte by byte, for what rpmbuild would never write: missing tags, wrong types, hostile counts. */

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

/** One index entry as it will lie in the file; tests that want a broken one change it on its way. */
export interface IndexEntry {
  tag: number;
  type: number;
  offset: number;
  count: number;
}

export type Tags = readonly (readonly [tag: number, value: TagValue])[];

const widths = { int8: 1, int16: 2, int32: 4, int64: 8 } as const;

/** A header structure with `tags` in the given order; `spoil` may change each index entry. */
export function toHeaderBytes(tags: Tags, spoil: (entry: IndexEntry) => void = () => undefined): Buffer {
  const index: Buffer[] = [];
  let store = Buffer.alloc(0);
  for (const [tag, value] of tags) {
    const width = value.type in widths ? widths[value.type as keyof typeof widths] : 1; // checked by `in`
    store = Buffer.concat([store, Buffer.alloc((width - (store.length % width)) % width)]);
    const entry = { tag, type: typeCode[value.type], offset: store.length, count: value.values.length };
    spoil(entry);
    const bytes = Buffer.alloc(16);
    [entry.tag, entry.type, entry.offset, entry.count].forEach((field, i) => {
      bytes.writeUInt32BE(field, 4 * i);
    });
    index.push(bytes);
    store = Buffer.concat([store, toDataBytes(value)]);
  }
  return Buffer.concat([toIntro(tags.length, store.length), ...index, store]);
}

/** The 16 bytes before an index. */
export function toIntro(entries: number, storeBytes: number): Buffer {
  const intro = Buffer.from('8eade8010000000000000000' + '00000000', 'hex');
  intro.writeUInt32BE(entries, 8);
  intro.writeUInt32BE(storeBytes, 12);
  return intro;
}

/** A whole file: lead, signature header with its padding, main header; `payload` follows. */
export function toRpmBytes(
  signature: Buffer,
  main: Buffer,
  payload: Uint8Array = Buffer.from('payload'),
): Buffer {
  const lead = Buffer.alloc(96);
  lead.write('edabeedb0300', 'hex');
  lead.writeUInt16BE(5, 78);
  return Buffer.concat([lead, signature, Buffer.alloc((8 - (signature.length % 8)) % 8), main, payload]);
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
      return Buffer.concat(value.values.map((item) => Buffer.concat([Buffer.from(item), Buffer.alloc(1)])));
    case 'int64':
      return Buffer.concat(
        value.values.map((number) => {
          const bytes = Buffer.alloc(8);
          bytes.writeBigUInt64BE(BigInt(number));
          return bytes;
        }),
      );
    default: {
      const width = widths[value.type];
      return Buffer.concat(
        value.values.map((number) => {
          const bytes = Buffer.alloc(width);
          bytes.writeUIntBE(number, 0, width);
          return bytes;
        }),
      );
    }
  }
}

/** Makes RPM files byte by byte, for what rpmbuild would never write: missing tags, wrong types, hostile counts. */
import { type IndexEntry, layOutTags, type Tags, toHeader } from '../../src/rpm/header-bytes.ts';

export {
  type IndexEntry,
  int16,
  int32,
  type Tags,
  type TagValue,
  text,
  texts,
  toIntro,
} from '../../src/rpm/header-bytes.ts';

/** A header structure with `tags` in the given order; `spoil` may change each index entry. */
export function toHeaderBytes(tags: Tags, spoil: (entry: IndexEntry) => void = () => undefined): Buffer {
  const { index, store } = layOutTags(tags);
  for (const entry of index) spoil(entry);
  return toHeader(index, store);
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

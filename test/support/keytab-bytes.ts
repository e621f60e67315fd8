/** A keytab of these entries. */
export function keytab(...entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from([5, 2]), ...entries]);
}

/** An entry with a key of zeros. */
export function keytabEntry(realm: string, ...names: readonly string[]): Buffer {
  const text = (value: string) => Buffer.concat([uint16(value.length), Buffer.from(value)]);
  const nameType = Buffer.from([0, 0, 0, 1]);
  const time = Buffer.alloc(4);
  const key = Buffer.concat([Buffer.from([2]), uint16(18), uint16(32), Buffer.alloc(32)]);
  const body = Buffer.concat([uint16(names.length), ...[realm, ...names].map(text), nameType, time, key]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

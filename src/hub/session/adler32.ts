/** The largest number of bytes whose sums stay below 2^32, as in zlib. */
const bytesPerModulo = 5552;
const base = 65521;

/** The checksum of nothing. */
export const adler32OfNothing = 1;

/** Adler-32 of `bytes`, continuing from the checksum of what came before them. */
export function adler32(bytes: Uint8Array, before: number = adler32OfNothing): number {
  let low = before & 0xffff;
  let high = before >>> 16;
  for (let start = 0; start < bytes.length; start += bytesPerModulo) {
    const end = Math.min(start + bytesPerModulo, bytes.length);
    for (let index = start; index < end; index += 1) {
      // The index is within bounds; `?? 0` would cost a third of the speed.
      low += bytes[index] as number;
      high += low;
    }
    low %= base;
    high %= base;
  }
  return ((high << 16) | low) >>> 0;
}

/** The form in which the hub writes a checksum: eight lower-case hexadecimal digits. */
export function adler32Hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}

const newline = 0x0a;
const dash = 0x2d;
/** `2026-01-31T12:00:00.123456789+00:00 stdout F `: conmon writes each with as many digits. */
const headerBytes = 45;
const timeBytes = 35;
const header = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}[+-]\d\d:\d\d std(?:out|err) [FP] $/;
/** File systems are full by whole blocks, of which this is the smallest. */
const blockBytes = 512;

/**
 * Looks for entries of a k8s-file log of which a part is missing. A disk that becomes full takes a part of an entry, up to
 * the end of a block; the rest is dropped by conmon, and what comes when there is room again follows right behind that
 * part, with a later time. Not seen is the one loss in some eighty for which block and entry end at the same place.
 */
export class LogGapWatch {
  /** Place in the file of the first byte of `#last`. */
  #offset: number;
  /** What came last: a header may begin in it. */
  #last: Buffer = Buffer.alloc(0);
  /** The time of the entry that is at work where `#last` begins. */
  #time = '';

  /** `offset`: where in the file an entry begins with the next byte. */
  constructor(offset: number) {
    this.#offset = offset;
  }

  /** Whether the last entry that has come by is there to its end. */
  get endsWhole(): boolean {
    return this.#last.length === 0 || this.#last.at(-1) === newline;
  }

  /** The next bytes of the log; gives how many of them there are before an entry is torn, or null when none is. */
  see(chunk: Uint8Array): number | null {
    const bytes = Buffer.concat([this.#last, chunk]);
    const first = Math.ceil((this.#offset + 1) / blockBytes) * blockBytes - this.#offset;
    let torn: number | null = null;
    for (let at = first; at + headerBytes <= bytes.length; at += blockBytes)
      if (bytes[at - 1] !== newline && isHeader(bytes, at) && this.#isLater(bytes, at))
        torn ??= Math.max(0, at - this.#last.length);
    const kept = Math.max(0, bytes.length - headerBytes);
    this.#time = this.#timeAt(bytes, kept);
    this.#last = Buffer.from(bytes.subarray(kept));
    this.#offset += kept;
    return torn;
  }

  /** A log that is quoted in the output has older times than the entry it stands in. */
  #isLater(bytes: Buffer, at: number): boolean {
    return bytes.toString('latin1', at, at + timeBytes) > this.#timeAt(bytes, at);
  }

  /** The time, or what is there of it, of the entry that has the byte before this place. */
  #timeAt(bytes: Buffer, at: number): string {
    const end = at === 0 ? -1 : bytes.lastIndexOf(newline, at - 1);
    if (end === -1 && this.#time !== '') return this.#time;
    return bytes.toString('latin1', end + 1, Math.min(end + 1 + timeBytes, Math.max(at, end + 1)));
  }
}

function isHeader(bytes: Buffer, at: number): boolean {
  // Nearly all places are no headers, and this tells most of them.
  return bytes[at + 4] === dash && header.test(bytes.toString('latin1', at, at + headerBytes));
}

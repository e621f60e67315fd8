/** Numbers that look random and are the same for the same seed (mulberry32). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0 and below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, at least 0 and below `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    const one = list[this.below(list.length)];
    if (one === undefined) throw new RangeError('nothing to pick from');
    return one;
  }
}

/** What a parser's input may be made of. */
export interface Material {
  /** Inputs as they are in life, and ones that were trouble once. */
  readonly corpus: readonly Uint8Array[];
  /** Words of the format. */
  readonly words: readonly string[];
}

const maxBytes = 64 * 1024;
const interestingNumbers = [0, 1, 0x7f, 0x80, 0xff, 0xfffe, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** An input: one of the corpus with up to a dozen changes. */
export function mutate(random: SeededRandom, { corpus, words }: Material): Buffer {
  let bytes = Buffer.from(random.pick(corpus));
  // Often few changes, so that the input stays near to what is accepted.
  const changes = 1 + random.below(random.below(4) === 0 ? 12 : 3);
  for (let change = 0; change < changes; change += 1) bytes = changed(random, bytes, corpus, words);
  return bytes.length > maxBytes ? bytes.subarray(0, maxBytes) : bytes;
}

function changed(
  random: SeededRandom,
  bytes: Buffer,
  corpus: readonly Uint8Array[],
  words: readonly string[],
): Buffer<ArrayBuffer> {
  const at = random.below(bytes.length + 1);
  const length = Math.min(bytes.length - at, 1 + random.below(32));
  const [head, part, tail] = [
    bytes.subarray(0, at),
    bytes.subarray(at, at + length),
    bytes.subarray(at + length),
  ];
  switch (random.below(9)) {
    case 0:
      return Buffer.concat([head, part.map((byte) => byte ^ (1 << random.below(8))), tail]);
    case 1:
      return Buffer.concat([head, Uint8Array.of(random.below(256)), tail]);
    case 2:
      return Buffer.concat([head, tail]);
    case 3:
      return Buffer.concat([head, ...Array<Buffer>(1 + random.below(40)).fill(part), tail]);
    case 4: {
      const other = random.pick(corpus);
      const from = random.below(other.length + 1);
      return Buffer.concat([head, other.subarray(from, from + 1 + random.below(400)), tail]);
    }
    case 5:
      return Buffer.from(head);
    case 6: {
      const number = Buffer.alloc(4);
      number.writeUInt32BE(random.pick(interestingNumbers));
      return Buffer.concat([
        head,
        random.below(2) === 0 ? number : number.subarray(2),
        bytes.subarray(at + 4),
      ]);
    }
    case 7:
      return Buffer.concat([head, Buffer.from(random.pick(words)), part, tail]);
    default:
      return Buffer.concat([
        head,
        ...Array<Buffer>(1 + random.below(300)).fill(Buffer.from(random.pick(words))),
        tail,
      ]);
  }
}

import { BadRpm } from './errors.ts';
import { dataType, headerBudget, mostElements, ruleOf } from './header-budget.ts';
import { regionTags } from './header-tags.ts';
import { decodeSurrogateEscape } from './python-text.ts';

/**
 * One header structure of an RPM file: an intro, an index of typed entries, and the store they point
 * into. The signature header and the main header both have this shape.
 */

/** Bytes of the intro: magic, reserved, number of entries, size of the store. */
export const introBytes = 16;
const entryBytes = 16;
const magic = Buffer.from([0x8e, 0xad, 0xe8, 0x01]);

/** The most entries and store bytes a header may announce. */
export interface HeaderLimits {
  readonly entries: number;
  readonly storeBytes: number;
}

/** Bytes of one element, by type; strings end at their NUL instead. */
const elementBytes: ReadonlyMap<number, number> = new Map([
  [dataType.char, 1],
  [dataType.int8, 1],
  [dataType.int16, 2],
  [dataType.int32, 4],
  [dataType.int64, 8],
  [dataType.binary, 1],
]);

const knownTypes: ReadonlySet<number> = new Set(Object.values(dataType));

interface Entry {
  readonly type: number;
  readonly count: number;
  readonly start: number;
  readonly end: number;
}

/** Sizes of what follows a header's intro, in bytes. Throws BadRpm on a wrong magic or beyond `limits`. */
export function parseHeaderIntro(
  intro: Buffer,
  label: string,
  limits: HeaderLimits,
): { readonly entries: number; readonly indexBytes: number; readonly storeBytes: number } {
  if (!intro.subarray(0, 4).equals(magic)) {
    throw new BadRpm(
      `bad ${label} header: starts with ${intro.toString('hex', 0, 4)} instead of ${magic.toString('hex')}`,
    );
  }
  const entries = intro.readUInt32BE(8);
  const storeBytes = intro.readUInt32BE(12);
  if (entries < 1 || entries > limits.entries) {
    throw new BadRpm(`bad ${label} header: ${entries} entries, 1 to ${limits.entries} are allowed`);
  }
  if (storeBytes < 1 || storeBytes > limits.storeBytes) {
    throw new BadRpm(
      `bad ${label} header: ${storeBytes} bytes of data, 1 to ${limits.storeBytes} are allowed`,
    );
  }
  return { entries, indexBytes: entries * entryBytes, storeBytes };
}

/**
 * A checked header. Every entry lies inside the store, aligned and in order without overlap, as rpm itself
 * demands (`lib/header.c hdrblobVerifyInfo`); so checking and decoding are linear in the size of the header.
 * Getters throw BadRpm when a tag has another type than asked for; a missing tag is null or an empty list.
 */
export class HeaderBlob {
  readonly #label: string;
  readonly #store: Buffer;
  readonly #entries = new Map<number, Entry>();
  #stringsSeen = 0;

  /** `index` and `store` have exactly the sizes that the intro announced. */
  constructor(label: string, index: Buffer, store: Buffer) {
    this.#label = label;
    this.#store = store;
    let free = 0;
    for (let at = 0; at < index.length; at += entryBytes) {
      const tag = index.readUInt32BE(at);
      const type = index.readUInt32BE(at + 4);
      const start = index.readUInt32BE(at + 8);
      const count = index.readUInt32BE(at + 12);
      // The region mark comes first and points at its own trailer, behind the data.
      if (at === 0 && regionTags.has(tag)) {
        this.#checkRegion(tag, type, start, count);
        continue;
      }
      if (start < free) throw this.#bad(`tag ${tag} overlaps the entry before it`);
      if (this.#entries.has(tag)) throw this.#bad(`tag ${tag} occurs twice`);
      const end = this.#endOf(tag, type, start, count);
      this.#entries.set(tag, { type, count, start, end });
      free = end;
    }
  }

  has(tag: number): boolean {
    return this.#entries.has(tag);
  }

  /** Numbers of the tags it has, in its own order; without the mark of the signed region. */
  get tags(): readonly number[] {
    return [...this.#entries.keys()];
  }

  /** All values of a tag, whatever its type; binary data as one hex text, translations after the untranslated text. */
  values(tag: number): readonly (string | number)[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return [];
    switch (entry.type) {
      case dataType.binary:
        return [this.#store.toString('hex', entry.start, entry.end)];
      case dataType.string:
      case dataType.stringArray:
      case dataType.i18nString:
        return this.#strings(entry);
      default:
        return this.numbers(tag);
    }
  }

  /** A string; of a translated one the untranslated text (the first), of a string array of one its member. */
  string(tag: number): string | null {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return null;
    const isText = entry.type === dataType.string || entry.type === dataType.i18nString;
    if (isText || (entry.type === dataType.stringArray && entry.count === 1))
      return this.#strings(entry, 1)[0] ?? null;
    throw this.#wrongType(tag, entry, 'a string');
  }

  strings(tag: number): readonly string[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return [];
    if (entry.type === dataType.stringArray || entry.type === dataType.string) return this.#strings(entry);
    throw this.#wrongType(tag, entry, 'a list of strings');
  }

  /** An unsigned integer; an array counts as its first member. */
  number(tag: number): number | null {
    return this.#numbers(tag, 1)[0] ?? null;
  }

  /** Unsigned integers of any width. */
  numbers(tag: number): readonly number[] {
    return this.#numbers(tag, Number.POSITIVE_INFINITY);
  }

  #numbers(tag: number, most: number): readonly number[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return [];
    const { start } = entry;
    const count = Math.min(entry.count, most);
    switch (entry.type) {
      case dataType.char:
      case dataType.int8:
        return Array.from({ length: count }, (_, i) => this.#store.readUInt8(start + i));
      case dataType.int16:
        return Array.from({ length: count }, (_, i) => this.#store.readUInt16BE(start + 2 * i));
      case dataType.int32:
        return Array.from({ length: count }, (_, i) => this.#store.readUInt32BE(start + 4 * i));
      case dataType.int64:
        return Array.from({ length: count }, (_, i) =>
          this.#safeInteger(tag, this.#store.readBigUInt64BE(start + 8 * i)),
        );
      default:
        throw this.#wrongType(tag, entry, 'a number');
    }
  }

  binary(tag: number): Buffer | null {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return null;
    if (entry.type !== dataType.binary) throw this.#wrongType(tag, entry, 'binary data');
    return this.#store.subarray(entry.start, entry.end);
  }

  #strings(entry: Entry, most = entry.count): string[] {
    const strings: string[] = [];
    const count = Math.min(entry.count, most);
    for (let at = entry.start; strings.length < count; ) {
      const end = this.#store.indexOf(0, at);
      strings.push(decodeSurrogateEscape(this.#store.subarray(at, end)));
      at = end + 1;
    }
    return strings;
  }

  #endOf(tag: number, type: number, start: number, count: number): number {
    const limit = this.#store.length;
    if (count < 1 || count > limit || start >= limit) {
      throw this.#bad(
        `tag ${tag} points outside of the data (${count} elements at ${start} of ${limit} bytes)`,
      );
    }
    if (!knownTypes.has(type)) throw this.#bad(`tag ${tag} has unknown type ${type}`);
    this.#checkBudget(tag, type, count);
    const width = elementBytes.get(type);
    if (width !== undefined) {
      if (start % width !== 0) throw this.#bad(`tag ${tag} is not aligned`);
      const end = start + width * count;
      if (end > limit) throw this.#bad(`tag ${tag} points outside of the data`);
      return end;
    }
    if (type === dataType.string && count !== 1)
      throw this.#bad(`tag ${tag} is a string that counts ${count}`);
    return this.#endOfStrings(tag, start, count);
  }

  /** Before anything is decoded: what a tag announces is no more than such a tag can have. */
  #checkBudget(tag: number, type: number, count: number): void {
    const rule = ruleOf(this.#label, tag);
    if (rule !== null && !rule.types.includes(type))
      throw this.#bad(`tag ${tag} has type ${type} and count ${count}, it should be ${rule.what}`);
    const most = rule !== null && type !== dataType.i18nString ? rule.most : mostElements(type);
    if (count > most) throw this.#bad(`tag ${tag} has ${count} elements, ${most} are allowed`);
  }

  #endOfStrings(tag: number, start: number, count: number): number {
    this.#stringsSeen += count;
    if (this.#stringsSeen > headerBudget.strings)
      throw this.#bad(`it has more than ${headerBudget.strings} strings`);
    let at = start;
    for (let seen = 0; seen < count; seen += 1) {
      const end = this.#store.indexOf(0, at);
      if (end === -1) throw this.#bad(`a string of tag ${tag} does not end`);
      if (end - at > headerBudget.stringBytes)
        throw this.#bad(`a string of tag ${tag} is longer than ${headerBudget.stringBytes} bytes`);
      at = end + 1;
    }
    return at;
  }

  #checkRegion(tag: number, type: number, start: number, count: number): void {
    if (type !== dataType.binary || count !== entryBytes || start + entryBytes > this.#store.length) {
      throw this.#bad(`bad region mark ${tag}`);
    }
  }

  #safeInteger(tag: number, value: bigint): number {
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#bad(`tag ${tag} has the absurd value ${value}`);
    return Number(value);
  }

  #wrongType(tag: number, entry: Entry, wanted: string): BadRpm {
    return this.#bad(`tag ${tag} has type ${entry.type} and count ${entry.count}, it should be ${wanted}`);
  }

  #bad(problem: string): BadRpm {
    return new BadRpm(`bad ${this.#label} header: ${problem}`);
  }
}

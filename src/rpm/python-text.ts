/**
 * Text as Python has it. Fault messages and rpmdiff hashes must equal kojid's byte for byte, so its
 * way of decoding, ordering and quoting strings is part of what they are.
 */

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 with `surrogateescape`: a byte that is no UTF-8 becomes the lone surrogate U+DC00 + byte. */
export function decodeSurrogateEscape(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return decodePiecewise(bytes);
  }
}

/** What is valid is decoded in one piece, so that a text full of other bytes takes no longer than its length. */
function decodePiecewise(bytes: Uint8Array): string {
  const parts: string[] = [];
  let from = 0;
  let at = 0;
  const takeValid = () => {
    if (at > from) parts.push(strictUtf8.decode(bytes.subarray(from, at)));
  };
  while (at < bytes.length) {
    const length = validSequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    takeValid();
    parts.push(String.fromCharCode(0xdc00 + (bytes[at] ?? 0)));
    at += 1;
    from = at;
  }
  takeValid();
  return parts.join('');
}

/** Bytes of the valid UTF-8 sequence that starts at `at`; 0 when none does (RFC 3629, its table of sequences). */
function validSequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const second = bytes[at + 1] ?? 0;
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let i = 2; i < length; i += 1) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

/** Python's order of strings, by code point (JavaScript's own is by UTF-16 unit). */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  if (at === length) return a.length - b.length;
  const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
  // What comes in two units is more than what comes in one, U+E000 to U+FFFF included; a lone half is its own number.
  const [left, right] = [codePointAround(a, at), codePointAround(b, at)];
  return left === right ? x - y : left - right;
}

/** The code point that the unit at `at` is a part of. */
function codePointAround(text: string, at: number): number {
  const isSecond = at > 0 && isLow(text.charCodeAt(at)) && isHigh(text.charCodeAt(at - 1));
  return text.codePointAt(isSecond ? at - 1 : at) ?? 0;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** What `json.dumps` makes of a string: only ASCII, everything else as `\uXXXX` of its UTF-16 units. */
export function toAsciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `repr()` of None, a string, or a list of strings. */
export function toPythonRepr(value: string | null | readonly string[]): string {
  if (value === null) return 'None';
  if (typeof value !== 'string') return `[${value.map((item) => toPythonRepr(item)).join(', ')}]`;
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escaped = Array.from(value, (character) => escapeForRepr(character, quote)).join('');
  return `${quote}${escaped}${quote}`;
}

const shortEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function escapeForRepr(character: string, quote: string): string {
  if (character === quote) return `\\${character}`;
  const short = shortEscapes[character];
  if (short !== undefined) return short;
  if (character === ' ' || !/[\p{C}\p{Z}]/u.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\U${code.toString(16).padStart(8, '0')}`;
}

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

function decodePiecewise(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = validSequenceLength(bytes, at);
    text +=
      length === 0
        ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0))
        : strictUtf8.decode(bytes.subarray(at, at + length));
    at += Math.max(length, 1);
  }
  return text;
}

/** Bytes of the valid UTF-8 sequence that starts at `at`; 0 when none does. */
function validSequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  try {
    strictUtf8.decode(bytes.subarray(at, at + length));
  } catch {
    return 0;
  }
  return length;
}

/** Python's order of strings, by code point (JavaScript's own is by UTF-16 unit). */
export function compareCodePoints(a: string, b: string): number {
  const left = a[Symbol.iterator]();
  const right = b[Symbol.iterator]();
  for (;;) {
    const x = left.next();
    const y = right.next();
    if (x.done || y.done) return Number(y.done === true) - Number(x.done === true);
    const difference = (x.value.codePointAt(0) ?? 0) - (y.value.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
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

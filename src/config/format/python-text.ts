/**
 * How Python sees text, where JavaScript sees it otherwise: white space, line ends and UTF-8. The
 * configuration files were written for a Python program.
 */

/** `str.isspace`: unlike `\s` it has the separators U+001C to U+001F and U+0085, and no U+FEFF. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const leadingSpace = new RegExp(`^[${SPACE}]+`);
const trailingSpace = new RegExp(`[${SPACE}]+$`);
const spaces = new RegExp(`[${SPACE}]+`);

/** `str.rstrip()`. */
export function stripEnd(text: string): string {
  return text.replace(trailingSpace, '');
}

/** `str.strip()`. */
export function strip(text: string): string {
  return stripEnd(text.replace(leadingSpace, ''));
}

/** `str.split()`: the words between any white space, none for a blank text. */
export function splitWords(text: string): readonly string[] {
  const stripped = strip(text);
  return stripped === '' ? [] : stripped.split(spaces);
}

/** Code units of white space before the first other character. */
export function indentOf(line: string): number {
  return leadingSpace.exec(line)?.[0].length ?? 0;
}

/** The lines of a text file as Python's text mode reads them: ended by `\n`, `\r\n` or `\r`, and by nothing else. */
export function splitLines(text: string): readonly string[] {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/**
 * Strict UTF-8, a byte order mark kept as the character it is. Returns the text, or the number of the
 * first line whose bytes are none.
 */
export function decodeUtf8(bytes: Uint8Array): string | { readonly badLine: number } {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const decodes = (part: Uint8Array): boolean => {
    try {
      decoder.decode(part);
      return true;
    } catch {
      // A TypeError is all that TextDecoder says about bad bytes: the answer is false.
      return false;
    }
  };
  if (decodes(bytes)) return decoder.decode(bytes);
  let line = 1;
  let start = 0;
  for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
    if (!decodes(bytes.subarray(start, end))) break;
    line += 1;
    start = end + 1;
  }
  return { badLine: line };
}

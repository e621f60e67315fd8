import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';

/**
 * What lets a text do more than be read: controls (C0, DEL, C1), the controls of writing direction, separators of
 * lines and paragraphs, and halves of surrogate pairs, which stand for bytes that are not UTF-8.
 */
const unprintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const unprintableButLines = /(?![\n\t])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const unprintableInJson = /[\x7f-\x9f\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/**
 * A text of a package, a repo, a hub or its users on one line, for a terminal, a log, a mail or a message: what could
 * do more than be read is written as `\x1b`, `\u202e`.
 */
export function printable(text: string): string {
  return text.replaceAll(unprintable, escaped);
}

/** `printable` for a text of several lines: line feeds and tabs stay. */
export function printableLines(text: string): string {
  return text.replaceAll(unprintableButLines, escaped);
}

/** Whether `printable` leaves the text as it is. */
export function isPrintable(text: string): boolean {
  return text.search(unprintable) === -1;
}

/** JSON with the same meaning, in which JSON's own escapes stand for what `printable` escapes too. */
export function printableJson(json: string): string {
  return json.replaceAll(
    unprintableInJson,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * The output of a program as it comes, for a terminal: colours and movements of the cursor are left out, as far as they
 * arrive in one piece, and what else could do more than be read is escaped. A carriage return ends a line.
 */
export class PrintableOutput {
  readonly #decoder = new StringDecoder('utf8');

  /** What can be shown of it; a character that is not complete yet waits for the rest. */
  take(bytes: Uint8Array | string): string {
    const text = typeof bytes === 'string' ? bytes : this.#decoder.write(bytes);
    return printableLines(stripVTControlCharacters(text).replaceAll(/\r\n?/g, '\n'));
  }
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}

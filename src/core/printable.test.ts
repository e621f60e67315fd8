import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPrintable, PrintableOutput, printable, printableJson, printableLines } from './printable.ts';

/** Any text, with halves of surrogate pairs, controls and directions often enough. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\x1b[2J', '\x9b31m', '\r\n', '\t', '\0', '\x7f', '\x85', '\u202e', '\u2066', '\u2028'),
      fc.integer({ min: 0xd800, max: 0xdfff }).map((code) => String.fromCharCode(code)),
    ),
  )
  .map((parts) => parts.join(''));

describe('printable', () => {
  it.each([
    ['hello-1.0-1~rc^2+b:3@f40 (x) ü 日本 🎉', 'hello-1.0-1~rc^2+b:3@f40 (x) ü 日本 🎉'],
    ['0.\x1b[31m\x1b[2Jxx', '0.\\x1b[31m\\x1b[2Jxx'],
    ['a\nb\tc\r', 'a\\x0ab\\x09c\\x0d'],
    ['\x9b1m\x7f\u202etxt\u2028', '\\x9b1m\\x7f\\u202etxt\\u2028'],
    ['M\udcfc', 'M\\udcfc'],
  ])('writes %j as %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('leaves nothing that does more than be read, and what is printable as it is', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const shown = printable(text);
        expect(isPrintable(shown)).toBe(true);
        expect(shown.isWellFormed()).toBe(true);
        expect(printable(shown)).toBe(shown);
        if (isPrintable(text)) expect(shown).toBe(text);
        expect(isPrintable(printableLines(text).replaceAll(/[\n\t]/g, ''))).toBe(true);
      }),
    );
  });
});

describe('printableLines', () => {
  it('keeps lines and tabs', () => {
    expect(printableLines('a\n\tb\r\n\x1b[1m')).toBe('a\n\tb\\x0d\n\\x1b[1m');
  });
});

describe('printableJson', () => {
  it('means the same', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const json = printableJson(JSON.stringify({ text }));
        expect(isPrintable(json)).toBe(true);
        expect(JSON.parse(json)).toEqual({ text });
      }),
    );
  });
});

describe('PrintableOutput', () => {
  it('leaves out colours, and ends lines at carriage returns', () => {
    const output = new PrintableOutput();

    expect(output.take('\x1b[32mfine\x1b[0m\r\n10%\r20%\x07\n')).toBe('fine\n10%\n20%\\x07\n');
  });

  it('gives whole characters, wherever the output is cut', () => {
    const bytes = Buffer.from('ü \x1b[1m日\x9b2J🎉\n');
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.nat(bytes.length), (one, other) => {
        const output = new PrintableOutput();
        const [first, last] = [Math.min(one, other), Math.max(one, other)];
        const parts = [bytes.subarray(0, first), bytes.subarray(first, last), bytes.subarray(last)];
        const shown = parts.map((part) => output.take(part)).join('');
        expect(shown).not.toContain('\ufffd');
        expect(isPrintable(shown.replaceAll('\n', ''))).toBe(true);
        expect(shown).toMatch(/^ü .*日.*🎉\n$/);
      }),
    );
  });
});

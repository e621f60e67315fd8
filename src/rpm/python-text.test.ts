import { describe, expect, it } from 'vitest';
import { compareCodePoints, decodeSurrogateEscape, toAsciiJson, toPythonRepr } from './python-text.ts';

// Expectations are what Python 3.11 prints.
describe('decodeSurrogateEscape', () => {
  it.each([
    ['c3bc f09f90aa', 'ü\u{1f42a}'],
    ['efbbbf 41', '\ufeffA'],
    ['e282 41', '\udce2\udc82A'],
    ['eda080', '\udced\udca0\udc80'],
    ['c0af', '\udcc0\udcaf'],
    ['f09f', '\udcf0\udc9f'],
    ['80 41', '\udc80A'],
  ])('decodes %s', (hex, text) => {
    expect(decodeSurrogateEscape(Buffer.from(hex.replaceAll(' ', ''), 'hex'))).toBe(text);
  });
});

describe('compareCodePoints', () => {
  it('orders by code point where UTF-16 would not', () => {
    const words = ['\u{1f42a}', '\ufffd', 'ab', '', 'a', 'b', '\udcff'];

    expect(words.toSorted(compareCodePoints)).toEqual(['', 'a', 'ab', 'b', '\udcff', '\ufffd', '\u{1f42a}']);
    expect(compareCodePoints('same', 'same')).toBe(0);
  });
});

describe('toAsciiJson', () => {
  it('escapes what json.dumps escapes', () => {
    expect(toAsciiJson('a"\\\n\u0001\u007fü\u{1f42a}\udcff')).toBe(
      '"a\\"\\\\\\n\\u0001\\u007f\\u00fc\\ud83d\\udc2a\\udcff"',
    );
  });
});

describe('toPythonRepr', () => {
  it.each([
    [null, 'None'],
    [[], '[]'],
    [['x86_64', 'i386'], "['x86_64', 'i386']"],
    ["it's", '"it\'s"'],
    ['both \' and "', "'both \\' and \"'"],
    ['a\tb\\ü\u0001\u00a0\u2028\udcff', "'a\\tb\\\\ü\\x01\\xa0\\u2028\\udcff'"],
    ['\u{1f42a}\u{e0001}', "'\u{1f42a}\\U000e0001'"],
  ])('writes %j as repr does', (value, text) => {
    expect(toPythonRepr(value)).toBe(text);
  });
});

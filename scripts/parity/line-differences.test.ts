import { describe, expect, it } from 'vitest';
import { lineDifferences } from './line-differences.ts';

const lines = (text: string) => [...text];

describe('lineDifferences', () => {
  it('finds none between equal texts, however long', () => {
    const long = Array.from({ length: 100_000 }, (_, i) => String(i));
    expect(lineDifferences(long, [...long])).toEqual([]);
  });

  it('tells lines of one side from those of the other', () => {
    expect(lineDifferences(lines('abcd'), lines('bcxd'))).toEqual([
      { kojid: 'a', ours: null },
      { kojid: null, ours: 'x' },
    ]);
  });

  it('puts lines together that replace each other', () => {
    expect(lineDifferences(lines('a12b'), lines('aXb'))).toEqual([
      { kojid: '1', ours: 'X' },
      { kojid: '2', ours: null },
    ]);
  });

  it('keeps as many lines as the two have in common', () => {
    const found = lineDifferences(lines('abcabba'), lines('cbabac'));
    expect(found.filter(({ kojid }) => kojid !== null)).toHaveLength(3);
    expect(found.filter(({ ours }) => ours !== null)).toHaveLength(2);
    expect(lineDifferences([], lines('ab'))).toEqual([
      { kojid: null, ours: 'a' },
      { kojid: null, ours: 'b' },
    ]);
  });

  it('takes all lines between the first and the last difference where they are too many', () => {
    const long = (name: string) => Array.from({ length: 3000 }, (_, i) => `${name} ${i}`);
    const found = lineDifferences(['a', ...long('same'), 'b', 'c'], ['x', ...long('same'), 'y', 'z', 'c']);
    expect(found).toHaveLength(3003);
    expect(found.slice(3000)).toEqual([
      { kojid: 'same 2999', ours: 'same 2999' },
      { kojid: 'b', ours: 'y' },
      { kojid: null, ours: 'z' },
    ]);
  });
});

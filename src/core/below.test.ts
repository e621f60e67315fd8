import { resolve, sep } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { below, OutsideDirectory } from './below.ts';

describe('below', () => {
  it.each<[readonly string[], string]>([
    [['a'], '/base/a'],
    [['a/b', 'c'], '/base/a/b/c'],
    [['a/../b'], '/base/b'],
    [['/etc/passwd'], '/base/etc/passwd'],
    [['..a', '...'], '/base/..a/...'],
  ])('joins %j', (parts, path) => {
    expect(below('/base', ...parts)).toBe(path);
  });

  it.each<readonly string[]>([['..'], ['a', '../..'], [''], ['.'], [], ['../base2'], ['../base'], ['a\0b']])(
    'refuses %j, %j',
    (...parts) => {
      expect(() => below('/base', ...parts)).toThrow(OutsideDirectory);
    },
  );

  it('is below the root directory, and below a relative one', () => {
    expect(below('/', 'a')).toBe('/a');
    expect(() => below('/', '..')).toThrow(OutsideDirectory);
    expect(below('x', 'a')).toBe(resolve('x/a'));
  });

  it('gives a path below the base, or none', () => {
    const segment = fc.oneof(fc.constantFrom('..', '.', '', 'a', '/', '\0'), fc.string());
    fc.assert(
      fc.property(fc.array(fc.array(segment).map((some) => some.join('/'))), (parts) => {
        try {
          const path = below('/some/base', ...parts);
          expect(path.startsWith(`/some/base${sep}`)).toBe(true);
          expect(path).toBe(resolve(path));
        } catch (error) {
          expect(error).toBeInstanceOf(OutsideDirectory);
        }
      }),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { isPythonTrue } from './python-truth.ts';

describe('isPythonTrue', () => {
  it.each([undefined, null, false, 0, 0n, '', [], {}, Object.create(null)])('denies %o', (value) => {
    expect(isPythonTrue(value)).toBe(false);
  });

  it.each([true, 1, -1, 0.5, '0', 'False', ' ', [0], [[]], { a: null }])('affirms %o', (value) => {
    expect(isPythonTrue(value)).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import { fail, formatFinding, ok, warn } from './finding.ts';

describe('formatFinding', () => {
  it('puts level, subject, finding and remedy on one line', () => {
    expect(formatFinding(ok('clock', 'agrees'))).toBe('ok    clock: agrees');
    expect(formatFinding(warn('clock', '40 s off', 'set it'))).toBe('warn  clock: 40 s off; set it');
    expect(formatFinding(fail('hub', 'answers\n  <html>', null))).toBe('FAIL  hub: answers <html>');
  });
});

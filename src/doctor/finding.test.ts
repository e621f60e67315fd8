import { describe, expect, it } from 'vitest';
import { closingWords, fail, formatFinding, ok, trialEnd, warn } from './finding.ts';

describe('formatFinding', () => {
  it('puts level, subject, finding and remedy on one line', () => {
    expect(formatFinding(ok('clock', 'agrees'))).toBe('ok    clock: agrees');
    expect(formatFinding(warn('clock', '40 s off', 'set it'))).toBe('warn  clock: 40 s off; set it');
    expect(formatFinding(fail('hub', 'answers\n  <html>', null))).toBe('FAIL  hub: answers <html>');
  });

  it('puts what a program has said below', () => {
    const finding = { ...fail('solve', 'it crashed', 'take another'), lines: ['a', 'b'] };

    expect(formatFinding(finding)).toBe('FAIL  solve: it crashed; take another\n      | a\n      | b');
  });
});

describe('closingWords', () => {
  const built = ok(trialEnd, 'nothing is left');

  it('say that the host can build only when it has built', () => {
    expect(closingWords([ok('a', 'b'), built], false)).toBe('This host can build.');
    expect(closingWords([ok('a', 'b')], false)).toBe(
      'Nothing was built, so whether this host can build is not known.',
    );
    expect(closingWords([ok('a', 'b')], true)).toMatch(/^A quick look: nothing was built/);
  });

  it('count what has to be fixed, and warnings', () => {
    expect(closingWords([fail('a', 'b', null), built], false)).toMatch(/^1 of these have to be fixed/);
    expect(closingWords([fail('a', 'b', null)], true)).toMatch(/^1 of these have to be fixed/);
    expect(closingWords([warn('a', 'b', null), built], false)).toBe(
      'This host can build, with a warning above.',
    );
  });
});

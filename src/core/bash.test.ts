import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quote } from './bash.ts';

const bash = spawnSync('bash', ['--version'], { encoding: 'utf8' });
const noBash = bash.status === 0 ? '' : ' (skipped: there is no bash)';

/** What bash takes the words of a command line for. */
function wordsOf(line: string): readonly string[] {
  const { stdout, stderr } = spawnSync('bash', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\0').slice(0, -1);
}

describe.skipIf(noBash !== '')(`quote${noBash}`, () => {
  it('quotes any word so that it comes back from bash', () => {
    const word = fc.string({
      unit: fc.constantFrom(...'ab\'"\\$`!*?[]{}()<>|&;#~= \t\n\r%-', 'é', '\u{1f600}'),
    });
    fc.assert(
      fc.property(fc.array(word, { minLength: 20, maxLength: 40 }), (words) => {
        expect(wordsOf(words.map(quote).join(' '))).toEqual(words);
      }),
      { numRuns: 20 },
    );
  });

  it('leaves a plain word as it is and quotes an empty one', () => {
    expect(quote('/a/b-1.0~rc.rpm')).toBe("'/a/b-1.0~rc.rpm'");
    expect(quote('/adjutant/in/a_b+c:1.rpm')).toBe('/adjutant/in/a_b+c:1.rpm');
    expect(quote('')).toBe("''");
  });
});

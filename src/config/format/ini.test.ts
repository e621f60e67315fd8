import { describe, expect, it } from 'vitest';
import { type IniCase, type IniOutcome, iniCorpus } from '../../../test/support/ini-corpus.ts';
import { outcomeOfIni } from '../../../test/support/ini-outcome.ts';
import { parseIni } from './ini.ts';

describe('parseIni', () => {
  it.each(iniCorpus)('reads as Python: $name', ({ content, outcome }: IniCase) => {
    const read: IniOutcome = outcomeOfIni(content);

    expect(read).toEqual(outcome);
  });

  it('keeps the line of each key', () => {
    const { sections, defaults } = parseIni('[DEFAULT]\nx = 0\n\n; c\n[kojid]\na = 1\n  2\nb = 3\n');

    expect(defaults.get('x')?.line).toBe(2);
    expect(sections.get('kojid')?.line).toBe(5);
    expect(sections.get('kojid')?.entries.get('a')?.line).toBe(6);
    expect(sections.get('kojid')?.entries.get('b')?.line).toBe(8);
  });

  it('continues after a problem and finds the others', () => {
    const { problems } = parseIni('a = 1\n[kojid]\nb = 1\nb = 2\nnonsense\n[kojid]\n');

    expect(problems.map(({ kind, line }) => [kind, line])).toEqual([
      ['missing-section-header', 1],
      ['duplicate-option', 4],
      ['not-an-option', 5],
      ['duplicate-section', 6],
    ]);
  });

  it('says where the first of two is', () => {
    const { problems } = parseIni('[kojid]\nMaxJobs = 1\nmaxjobs = 2\n');

    expect(problems).toEqual([
      expect.objectContaining({ key: 'maxjobs', message: expect.stringContaining('line 2') }),
    ]);
  });

  it('names the byte order mark', () => {
    expect(parseIni('\ufeff[kojid]\n').problems[0]?.message).toContain('byte order mark');
  });
});

import { type IniProblem, parseIni } from '../../src/config/format/ini.ts';
import { decodeUtf8 } from '../../src/config/format/python-text.ts';
import type { IniOutcome } from './ini-corpus.ts';

const exceptions: Readonly<Record<IniProblem['kind'], string>> = {
  'missing-section-header': 'MissingSectionHeaderError',
  'duplicate-section': 'DuplicateSectionError',
  'duplicate-option': 'DuplicateOptionError',
  'not-an-option': 'ParsingError',
};

/** What our reader makes of a file, in the words of the corpus. */
export function outcomeOfIni(content: string | Uint8Array): IniOutcome {
  const text = decodeUtf8(Buffer.from(content));
  if (typeof text !== 'string') return { error: 'UnicodeDecodeError', lines: [] };
  const { sections, defaults, problems } = parseIni(text);
  // Python collects lines that are no option until the end, and raises at once for all else.
  const fatal = problems.find(({ kind }) => kind !== 'not-an-option');
  if (fatal !== undefined) return { error: exceptions[fatal.kind], lines: [fatal.line] };
  if (problems.length > 0) return { error: 'ParsingError', lines: problems.map(({ line }) => line) };
  const items = [...sections].map(([name, { entries }]) => {
    const merged = [...new Map([...defaults, ...entries]).values()];
    return [name, merged.map(({ key, value }) => [key, value] as const)] as const;
  });
  return { sections: Object.fromEntries(items) };
}

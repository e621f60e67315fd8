import { indentOf, splitLines, strip, stripEnd } from './python-text.ts';

/**
 * The dialect of Python's `configparser.RawConfigParser()` with its default settings, which is what
 * kojid reads its files with (`koji.read_config_files(..., raw=True)`): no interpolation, `=` and `:`,
 * `#` and `;` only as whole-line comments, continuation lines by indentation with empty lines inside,
 * keys in lower case, section names as written, `[DEFAULT]` for all sections, duplicates refused.
 */

/** One key of a section, with the line its name stands on. */
export interface IniEntry {
  readonly key: string;
  /** Stripped; the lines of a continued value joined by `\n`. */
  readonly value: string;
  readonly line: number;
}

/** All parts of a file under one header; a section whose header comes twice is a problem, yet read on. */
export interface IniSection {
  readonly name: string;
  readonly line: number;
  readonly entries: ReadonlyMap<string, IniEntry>;
}

/** What is wrong with a line, by the name of Python's exception. */
export type IniProblemKind =
  | 'missing-section-header'
  | 'duplicate-section'
  | 'duplicate-option'
  | 'not-an-option';

export interface IniProblem {
  readonly kind: IniProblemKind;
  readonly line: number;
  readonly key: string | null;
  /** What is wrong and what to change. */
  readonly message: string;
}

export interface IniFile {
  /** In the order of the headers; `[DEFAULT]` is not among them. */
  readonly sections: ReadonlyMap<string, IniSection>;
  /** The keys of `[DEFAULT]`. */
  readonly defaults: ReadonlyMap<string, IniEntry>;
  /** Empty exactly when Python reads the file without an exception. */
  readonly problems: readonly IniProblem[];
}

const DEFAULT_SECTION = 'DEFAULT';
const BYTE_ORDER_MARK = '\ufeff';

/** `SECTCRE`: greedy, and what follows the last bracket is ignored. */
const header = /^\[([^\n]+)\]/;
/** `OPTCRE`: the first of `=` and `:` divides. */
const option = /^([^\n]*?)[=:]([^\n]*)$/;

/** An entry while its continuation lines are still coming. */
interface OpenEntry {
  readonly key: string;
  readonly line: number;
  readonly values: string[];
}

interface OpenSection {
  readonly name: string;
  readonly line: number;
  readonly entries: Map<string, OpenEntry>;
}

/**
 * Reads the text of one file. Where Python raises at once, this continues, so that all problems are
 * found in one run; the values are what Python gives only when there are no problems.
 */
export function parseIni(text: string): IniFile {
  const sections = new Map<string, OpenSection>();
  const defaults: OpenSection = { name: DEFAULT_SECTION, line: 0, entries: new Map() };
  const problems: IniProblem[] = [];
  let section: OpenSection | null = null;
  let entry: OpenEntry | null = null;
  let indent = 0;

  for (const [index, raw] of splitLines(text).entries()) {
    const line = index + 1;
    const value = strip(raw);
    if (value === '') {
      entry?.values.push('');
      continue;
    }
    if (value.startsWith('#') || value.startsWith(';')) continue;
    if (entry !== null && indentOf(raw) > indent) {
      entry.values.push(value);
      continue;
    }
    indent = indentOf(raw);

    const name = header.exec(value)?.[1];
    if (name !== undefined) {
      const known = name === DEFAULT_SECTION ? defaults : sections.get(name);
      if (known !== undefined && known !== defaults) problems.push(duplicateSection(known, line));
      section = known ?? { name, line, entries: new Map() };
      if (section !== defaults) sections.set(name, section);
      entry = null;
      continue;
    }
    if (section === null) {
      problems.push(missingHeader(value, line));
      // Python stops here; everything up to the next header would only repeat this problem.
      section = { name: '', line, entries: new Map() };
      continue;
    }
    const found = section.name === '' ? null : option.exec(value);
    const key = stripEnd(found?.[1] ?? '').toLowerCase();
    if (found === null || key === '') {
      if (section.name !== '') problems.push(notAnOption(value, line));
      continue;
    }
    const earlier = section.entries.get(key);
    if (earlier !== undefined) problems.push(duplicateOption(section.name, earlier, line));
    entry = { key, line, values: [strip(found[2] ?? '')] };
    section.entries.set(key, entry);
  }
  return {
    sections: new Map([...sections].map(([name, open]) => [name, { ...open, entries: closed(open) }])),
    defaults: closed(defaults),
    problems,
  };
}

function closed(section: OpenSection): ReadonlyMap<string, IniEntry> {
  const entries = [...section.entries.values()];
  return new Map(
    entries.map(({ key, line, values }) => [key, { key, line, value: stripEnd(values.join('\n')) }]),
  );
}

function missingHeader(value: string, line: number): IniProblem {
  const message = value.startsWith(BYTE_ORDER_MARK)
    ? 'the file begins with a byte order mark; save it as UTF-8 without one'
    : 'there is no section header above this line; put one there, as [kojid]';
  return { kind: 'missing-section-header', line, key: null, message };
}

function duplicateSection(earlier: OpenSection, line: number): IniProblem {
  const message = `section [${earlier.name}] was opened on line ${earlier.line} already; join the two`;
  return { kind: 'duplicate-section', line, key: null, message };
}

function duplicateOption(section: string, earlier: OpenEntry, line: number): IniProblem {
  const message = `set on line ${earlier.line} of [${section}] already; keep one of the two`;
  return { kind: 'duplicate-option', line, key: earlier.key, message };
}

function notAnOption(value: string, line: number): IniProblem {
  const message = `"${value.slice(0, 40)}" is no "key = value"; write one, start the line with ; to make it a comment, or indent it to continue the value above`;
  return { kind: 'not-an-option', line, key: null, message };
}

import { dirname, join } from 'node:path';
import { describeError } from '../../core/errors.ts';
import { suggestion } from '../checks/suggestion.ts';
import type { ConfigProblem } from '../problem.ts';
import type { ConfigFiles } from './file-system.ts';
import { type IniEntry, type IniFile, parseIni } from './ini.ts';
import { decodeUtf8 } from './python-text.ts';

/** What a file says about a key, before anybody asked what it means. */
export interface Setting {
  readonly key: string;
  readonly text: string;
  readonly file: string;
  readonly line: number;
}

/** What the configuration files say, by key and in the order kojid goes through them. */
export interface FileSettings {
  /** Section `[kojid]`, `adjutant_*` keys included. */
  readonly kojid: ReadonlyMap<string, Setting>;
  /** Section `[adjutant]`, wherever it stands. */
  readonly adjutant: ReadonlyMap<string, Setting>;
}

/** Where kojid looks when it is not told otherwise. */
export const DEFAULT_CONFIG_PATH = '/etc/kojid/kojid.conf';

const ADJUTANT_FILE = 'adjutant.conf';

export interface Notes {
  readonly problems: ConfigProblem[];
  readonly warnings: ConfigProblem[];
}

/**
 * Reads kojid's file, or all `*.conf` of a folder in the order of their names, later ones over earlier
 * ones (`koji.read_config_files`), and our own file beside it. Problems are added to `notes`.
 */
export function readSettings(
  request: { readonly configPath?: string; readonly adjutantPath?: string },
  files: ConfigFiles,
  notes: Notes,
): FileSettings {
  const configPath = request.configPath ?? DEFAULT_CONFIG_PATH;
  const isFolder = files.kind(configPath) === 'directory';
  const kojidPaths = isFolder ? folderFiles(configPath, files, notes) : [configPath];
  if (!isFolder && files.kind(configPath) === 'missing') {
    kojidPaths.pop();
    // Without -c everything may come from the command line; then the required keys are what is missed.
    if (request.configPath !== undefined) notes.problems.push(missing(configPath));
  }
  const kojidFiles = kojidPaths.flatMap((file) => readIni(file, files, notes));

  const adjutantPath = request.adjutantPath ?? adjutantFileBeside(configPath, isFolder, files, notes);
  if (request.adjutantPath !== undefined && files.kind(request.adjutantPath) === 'missing') {
    notes.problems.push(missing(request.adjutantPath));
  }
  const present = adjutantPath !== null && files.kind(adjutantPath) !== 'missing';
  const adjutantFiles = present ? readIni(adjutantPath, files, notes) : [];

  for (const read of kojidFiles) checkSections(read, ['kojid', 'adjutant'], notes);
  for (const read of adjutantFiles) checkSections(read, ['adjutant'], notes);
  warnOfOurSection(kojidFiles, notes);
  return {
    kojid: mergeSection('kojid', kojidFiles),
    adjutant: new Map([
      ...mergeSection('adjutant', kojidFiles, false),
      ...mergeSection('adjutant', adjutantFiles),
    ]),
  };
}

interface ReadFile {
  readonly file: string;
  readonly ini: IniFile;
}

function folderFiles(folder: string, files: ConfigFiles, notes: Notes): string[] {
  try {
    const names = files.list(folder).filter((name) => name.endsWith('.conf') && name !== ADJUTANT_FILE);
    const paths = names.toSorted().map((name) => join(folder, name));
    return paths.filter((path) => files.kind(path) === 'file');
  } catch (error) {
    notes.problems.push({ file: folder, line: null, key: null, message: unreadable(error) });
    return [];
  }
}

/** A folder that is given as a whole may hold our file too, although kojid would stop at it there. */
function adjutantFileBeside(
  configPath: string,
  isFolder: boolean,
  files: ConfigFiles,
  notes: Notes,
): string | null {
  const inside = join(configPath, ADJUTANT_FILE);
  if (isFolder && files.kind(inside) !== 'missing') {
    const better = join(dirname(configPath), ADJUTANT_FILE);
    const message = `kojid -c ${configPath} reads this file too and stops at it; move it to ${better}`;
    notes.warnings.push({ file: inside, line: null, key: null, message });
    return inside;
  }
  return join(dirname(configPath), ADJUTANT_FILE);
}

function readIni(file: string, files: ConfigFiles, notes: Notes): ReadFile[] {
  let bytes: Uint8Array;
  try {
    bytes = files.read(file);
  } catch (error) {
    notes.problems.push({ file, line: null, key: null, message: unreadable(error) });
    return [];
  }
  const text = decodeUtf8(bytes);
  if (typeof text !== 'string') {
    const message = 'this line is not UTF-8; save the file in that encoding';
    notes.problems.push({ file, line: text.badLine, key: null, message });
    return [];
  }
  const ini = parseIni(text);
  notes.problems.push(...ini.problems.map(({ line, key, message }) => ({ file, line, key, message })));
  return [{ file, ini }];
}

function checkSections({ file, ini }: ReadFile, allowed: readonly string[], notes: Notes): void {
  for (const { name, line } of ini.sections.values()) {
    if (allowed.includes(name)) continue;
    const remedy =
      name === 'kojid'
        ? 'its keys belong into kojid.conf'
        : `only ${allowed.map((known) => `[${known}]`).join(' and ')} may be here`;
    const message = `unknown section [${name}]; ${remedy}${suggestion(name, allowed)}`;
    notes.problems.push({ file, line, key: null, message });
  }
}

function warnOfOurSection(kojidFiles: readonly ReadFile[], notes: Notes): void {
  for (const { file, ini } of kojidFiles) {
    const section = ini.sections.get('adjutant');
    if (section === undefined) continue;
    const message = `kojid stops at section [adjutant]; move it to ${ADJUTANT_FILE} to be able to go back`;
    notes.warnings.push({ file, line: section.line, key: null, message });
  }
}

/** `RawConfigParser.items(section)` after reading all files: `[DEFAULT]` first, then the section's own. */
function mergeSection(
  section: string,
  read: readonly ReadFile[],
  withDefaults = true,
): ReadonlyMap<string, Setting> {
  if (!read.some(({ ini }) => ini.sections.has(section))) return new Map();
  const merged = new Map<string, Setting>();
  const add = (file: string, entries: ReadonlyMap<string, IniEntry> | undefined): void => {
    for (const { key, value, line } of entries?.values() ?? [])
      merged.set(key, { key, text: value, file, line });
  };
  if (withDefaults) for (const { file, ini } of read) add(file, ini.defaults);
  for (const { file, ini } of read) add(file, ini.sections.get(section)?.entries);
  return merged;
}

function missing(file: string): ConfigProblem {
  return { file, line: null, key: null, message: `there is no such file; create it or correct the path` };
}

function unreadable(error: unknown): string {
  return `cannot be read: ${describeError(error)}; let the daemon's user read it`;
}

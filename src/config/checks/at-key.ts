import type { ConfigProblem } from '../problem.ts';
import type { AdjutantValues, Config, KojidValues } from '../schema.ts';

/** What the checks across options look at. */
export type Checked = Pick<Config, 'kojid' | 'adjutant' | 'sources'>;

export type OptionName = `kojid.${keyof KojidValues}` | `adjutant.${keyof AdjutantValues}`;

/** A problem of an option, with the place where it was set. */
export function atKey({ sources }: Checked, name: OptionName, message: string): ConfigProblem {
  const source = sources.get(name);
  const key = name.slice(name.indexOf('.') + 1);
  if (source?.kind === 'file') return { file: source.file, line: source.line, key, message };
  const written =
    source?.kind === 'environment' ? source.name : source?.kind === 'command-line' ? source.flag : key;
  return { file: null, line: null, key: written, message };
}

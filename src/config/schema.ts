import { adjutantOptions } from './options/adjutant.ts';
import { kojidOptions } from './options/kojid.ts';
import type { Option, Values } from './options/option.ts';
import type { Rlimits } from './options/rlimits.ts';
import type { ConfigProblem } from './problem.ts';
import type { SiteFile } from './site-file.ts';

/** All options of both sections; types, defaults, checks and the reference page come from here. */
export const configSchema = { kojid: kojidOptions, adjutant: adjutantOptions };

export type SectionName = keyof typeof configSchema;

/** kojid's options by kojid's names; times in seconds, `minspace` in MiB, null where kojid has None. */
export type KojidValues = Values<typeof kojidOptions>;

/** Our options by the names of adjutant.conf; plain numbers are seconds or counts, other units are in the member's name. */
export type AdjutantValues = Values<typeof adjutantOptions>;

/** Where a value comes from. */
export type Source =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly file: string; readonly line: number }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'command-line'; readonly flag: string }
  /** kojid's certificate files, used because they are there. */
  | { readonly kind: 'found' };

/** The whole configuration, checked. */
export interface Config {
  readonly kojid: KojidValues;
  readonly adjutant: AdjutantValues;
  /** The `RLIMIT_*` keys of kojid's section. */
  readonly rlimits: Rlimits;
  /** What `site_file` opens; null when there is none. */
  readonly site: SiteFile | null;
  /** By section and key: `kojid.sleeptime`. */
  readonly sources: ReadonlyMap<string, Source>;
  /** What works, but perhaps not as expected. */
  readonly warnings: readonly ConfigProblem[];
}

/** The rows of a section by their names, for code that walks over all of them. */
export function optionsOf(section: SectionName): ReadonlyMap<string, Option<unknown>> {
  return new Map(Object.entries(configSchema[section]));
}

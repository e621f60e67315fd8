import { isDeepStrictEqual } from 'node:util';
import { certificateFallbacks } from './auth.ts';
import { checkAcross } from './checks/cross-checks.ts';
import { closedPlaces } from './checks/forbidden-mounts.ts';
import { suggestion } from './checks/suggestion.ts';
import { type ConfigFiles, hostFiles } from './format/file-system.ts';
import { type FileSettings, type Notes, readSettings, type Setting } from './format/read-files.ts';
import { WORKDIR_PLACEHOLDER } from './options/adjutant.ts';
import { knownPlugins, kojidAliases, toleratedKojidKeys } from './options/kojid.ts';
import { parseRlimit, RLIMIT_PREFIX, type Rlimit, type Rlimits, rlimitNames } from './options/rlimits.ts';
import { ConfigError, type ConfigProblem, inFileOrder } from './problem.ts';
import {
  type AdjutantValues,
  type Config,
  type KojidValues,
  optionsOf,
  type SectionName,
  type Source,
} from './schema.ts';
import { readSiteFile, type SiteFile } from './site-file.ts';

/** What the environment variables of our options begin with. */
export const ENVIRONMENT_PREFIX = 'KOJI_ADJUTANT_';

/** Variables with that beginning that are no options: what the scripts (`scripts/environment.sh`) and tests use. */
const notOptions = /^KOJI_ADJUTANT_(STATE$|TEST_)/;

/** What our keys begin with in kojid's section. */
const ADJUTANT_PREFIX = 'adjutant_';

/** A value from the command line: it wins over the file's. */
export interface Override {
  readonly flag: string;
  readonly text: string;
}

export type Overrides = Readonly<Partial<Record<keyof KojidValues, Override>>>;

export interface LoadRequest {
  /** A file, or a folder whose `*.conf` files are read in order. Left out: kojid's default, which may be missing. */
  readonly configPath?: string;
  /** Left out: adjutant.conf beside kojid's file, which may be missing. */
  readonly adjutantPath?: string;
  readonly overrides?: Overrides;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly files?: ConfigFiles;
}

/** A text that is waiting for its option's parser. */
interface Candidate {
  readonly key: string;
  readonly text: string;
  readonly source: Source;
}

/**
 * Reads and checks the whole configuration as kojid does (`builder/kojid get_options`), plus our own
 * keys. Rank: command line, environment, adjutant.conf, kojid.conf, default. Throws `ConfigError`
 * with all problems at once; changes nothing on disk.
 */
export function loadConfig(request: LoadRequest): Config {
  const files = request.files ?? hostFiles;
  const notes: Notes = { problems: [], warnings: [] };
  const settings = readSettings(request, files, notes);
  const sources = new Map<string, Source>();

  const kojidCandidates = collectKojid(settings, request.overrides ?? {}, notes);
  for (const [name, path] of certificateFallbacks) {
    if (kojidCandidates.has(name) || files.kind(path) === 'missing') continue;
    kojidCandidates.set(name, { key: name, text: path, source: { kind: 'found' } });
  }
  // The two records are made row by row from the tables whose types these are; a row that failed has
  // its default or null, and the ConfigError below keeps those from everybody but the cross-checks.
  const kojid = evaluate('kojid', kojidCandidates, {}, sources, notes) as unknown as KojidValues;
  const adjutant = evaluate(
    'adjutant',
    collectAdjutant(settings, request.env, notes),
    { [WORKDIR_PLACEHOLDER]: kojid.workdir },
    sources,
    notes,
  ) as unknown as AdjutantValues;
  const rlimits = collectRlimits(settings.kojid, notes);
  checkAcross({ kojid, adjutant, sources }, files, notes);
  const site = readSite({ kojid, adjutant }, request, files, notes);

  const warnings = inFileOrder(notes.warnings);
  if (notes.problems.length > 0) throw new ConfigError(inFileOrder(notes.problems), warnings);
  return { kojid, adjutant, rlimits, site, sources, warnings };
}

function readSite(
  config: Pick<Config, 'kojid' | 'adjutant'>,
  { configPath, adjutantPath, env }: LoadRequest,
  files: ConfigFiles,
  notes: Notes,
): SiteFile | null {
  const { site_file: path } = config.adjutant;
  if (path === null || path === '') return null;
  const configFiles = [configPath, adjutantPath].filter((file) => file !== undefined);
  return readSiteFile(path, closedPlaces(config, configFiles, env), files, notes);
}

function collectKojid(settings: FileSettings, overrides: Overrides, notes: Notes): Map<string, Candidate> {
  const options = optionsOf('kojid');
  const candidates = new Map<string, Candidate>();
  for (const setting of settings.kojid.values()) {
    const name = kojidAliases.get(setting.key) ?? setting.key;
    if (options.has(name)) {
      candidates.set(name, fromFile(setting));
    } else if (toleratedKojidKeys.has(name)) {
      notes.warnings.push(at(setting, 'has no effect, and kojid stops at it; remove it'));
    } else if (!name.startsWith(ADJUTANT_PREFIX) && !name.startsWith(RLIMIT_PREFIX)) {
      const known = [...options.keys(), ...rlimitNames.map((limit) => `RLIMIT_${limit.toUpperCase()}`)];
      const hint = optionsOf('adjutant').has(name)
        ? '; it is a key of adjutant.conf'
        : suggestion(setting.key, known);
      notes.problems.push(at(setting, `unknown option${hint || '; remove it'}`));
    }
  }
  for (const [name, { flag, text }] of Object.entries(overrides)) {
    candidates.set(name, { key: flag, text, source: { kind: 'command-line', flag } });
  }
  return candidates;
}

function collectAdjutant(
  settings: FileSettings,
  env: LoadRequest['env'],
  notes: Notes,
): Map<string, Candidate> {
  const options = optionsOf('adjutant');
  const candidates = new Map<string, Candidate>();
  for (const setting of settings.kojid.values()) {
    if (!setting.key.startsWith(ADJUTANT_PREFIX)) continue;
    const name = setting.key.slice(ADJUTANT_PREFIX.length);
    const moved = `kojid stops at this key; move it to adjutant.conf as ${name} to be able to go back`;
    if (options.has(name)) notes.warnings.push(at(setting, moved));
    candidates.set(name, fromFile(setting));
  }
  for (const setting of settings.adjutant.values()) candidates.set(setting.key, fromFile(setting));
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(ENVIRONMENT_PREFIX) || text === undefined) continue;
    if (notOptions.test(variable)) continue;
    const name = variable.slice(ENVIRONMENT_PREFIX.length).toLowerCase();
    candidates.set(name, { key: variable, text, source: { kind: 'environment', name: variable } });
  }
  for (const [name, candidate] of candidates) {
    if (options.has(name)) continue;
    candidates.delete(name);
    const plain = name.startsWith(ADJUTANT_PREFIX) ? name.slice(ADJUTANT_PREFIX.length) : name;
    const hint = suggestion(plain, options.keys());
    const kojids = optionsOf('kojid').has(name) ? '; it is a key of kojid.conf' : hint;
    if (candidate.source.kind === 'environment') {
      // Not a problem: the variables around a daemon are not all meant for it.
      notes.warnings.push(at(candidate, `there is no such option${hint}`));
    } else {
      notes.problems.push(at(candidate, `unknown option${kojids || '; remove it'}`));
    }
  }
  return candidates;
}

function evaluate(
  section: SectionName,
  candidates: ReadonlyMap<string, Candidate>,
  placeholders: Readonly<Record<string, string>>,
  sources: Map<string, Source>,
  notes: Notes,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, option] of optionsOf(section)) {
    const candidate = candidates.get(name);
    sources.set(`${section}.${name}`, candidate?.source ?? { kind: 'default' });
    const defaultText = Object.entries(placeholders).reduce<string | null>(
      (text, [placeholder, value]) => text?.replaceAll(placeholder, value) ?? null,
      option.defaultText,
    );
    values[name] = defaultText === null ? null : option.schema.parse(defaultText);
    if (candidate === undefined || (option.required && candidate.text === '')) {
      if (option.required) notes.problems.push(missingOption(section, name, candidate));
      continue;
    }
    const parsed = option.schema.safeParse(candidate.text);
    if (!parsed.success) {
      notes.problems.push(...parsed.error.issues.map(({ message }) => at(candidate, message)));
      continue;
    }
    const isDefault = isDeepStrictEqual(parsed.data, values[name]);
    values[name] = parsed.data;
    if (option.effect !== 'used' && !isDefault) {
      notes.warnings.push(at(candidate, `has no effect: ${option.effect.ignored}`));
    }
    if (name === 'plugin') warnOfPlugins(candidate, notes);
    if (name === 'container_timeouts' && candidate.text.includes('stop_grace')) {
      notes.warnings.push(
        at(
          candidate,
          'stop_grace has no effect: the containers of a stopped task are killed at once; remove it',
        ),
      );
    }
    if (name === 'mock_bootstrap_image' && parsed.data === false && candidate.text !== '') {
      notes.warnings.push(
        at(candidate, `means no here, while kojid takes "${candidate.text}" for yes; remove the line`),
      );
    }
  }
  return values;
}

function warnOfPlugins(candidate: Candidate, notes: Notes): void {
  for (const name of candidate.text.split(/\s+/).filter((word) => word !== '')) {
    const message = knownPlugins.get(name) ?? 'unknown plugin';
    notes.warnings.push(at(candidate, `${name}: ${message}`));
  }
}

function collectRlimits(settings: ReadonlyMap<string, Setting>, notes: Notes): Rlimits {
  const limits = new Map<string, Rlimit>();
  for (const setting of settings.values()) {
    if (!setting.key.startsWith(RLIMIT_PREFIX)) continue;
    const name = setting.key.slice(RLIMIT_PREFIX.length);
    const limit = parseRlimit(setting.text);
    if (!rlimitNames.includes(name)) {
      notes.warnings.push(at(setting, `there is no such limit${suggestion(name, rlimitNames)}`));
    } else if (limit !== null && 'problem' in limit) {
      notes.problems.push(at(setting, limit.problem));
    } else if (limit !== null) {
      limits.set(name, limit);
    }
  }
  return Object.fromEntries(limits);
}

function fromFile({ key, text, file, line }: Setting): Candidate {
  return { key, text, source: { kind: 'file', file, line } };
}

function at(found: Candidate | Setting, message: string): ConfigProblem {
  const place = 'source' in found ? placeOf(found.source) : { file: found.file, line: found.line };
  return { ...place, key: found.key, message };
}

function placeOf(source: Source): Pick<ConfigProblem, 'file' | 'line'> {
  return source.kind === 'file' ? { file: source.file, line: source.line } : { file: null, line: null };
}

function missingOption(section: SectionName, name: string, empty: Candidate | undefined): ConfigProblem {
  const message = `the ${name} option is required; set it in section [${section}], or give --${name}`;
  return empty === undefined ? { file: null, line: null, key: name, message } : at(empty, message);
}

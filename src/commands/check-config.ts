import { isDeepStrictEqual } from 'node:util';
import { authOf } from '../config/auth.ts';
import { type DaemonArguments, parseDaemonArguments } from '../config/command-line.ts';
import { type ConfigFiles, hostFiles } from '../config/format/file-system.ts';
import { loadConfig } from '../config/load.ts';
import type { Patterns } from '../config/options/accept-rules.ts';
import { WORKDIR_PLACEHOLDER } from '../config/options/adjutant.ts';
import { ConfigError, type ConfigProblem, formatProblem } from '../config/problem.ts';
import { type Config, optionsOf, type SectionName, type Source } from '../config/schema.ts';
import { describeOpened, type SiteFile } from '../config/site-file.ts';
import { printableLines } from '../core/printable.ts';
import { exitCode, type RunCommand } from './command.ts';

/** `koji-adjutant check-config`, with the options of the daemon. */
export const run: RunCommand = async (argv, { env, out }) => {
  const description = 'Prints what is wrong with the configuration, or what differs from the defaults';
  return checkConfig(
    parseDaemonArguments(argv, { name: 'koji-adjutant check-config', description }),
    env,
    out,
  );
};

/**
 * Prints all problems and warnings, or what differs from the defaults.
 * Returns the exit code, 0 or 78. Nothing but files is looked at; `doctor` asks the hub and the engine.
 */
export function checkConfig(
  args: Pick<DaemonArguments, 'configPath' | 'adjutantPath' | 'overrides'>,
  env: Readonly<Record<string, string | undefined>>,
  out: { write(text: string): unknown },
  files: ConfigFiles = hostFiles,
): number {
  const print = (line: string): void => {
    out.write(`${printableLines(line)}\n`);
  };
  try {
    const config = loadConfig({ ...args, env, files });
    for (const line of describeConfig(config)) print(line);
    print(`login: ${authOf(config, files).kind}`);
    printWarnings(config.warnings, print);
    print('The configuration is fine.');
    return exitCode.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) print(`error: ${formatProblem(problem)}`);
    printWarnings(error.warnings, print);
    const count = error.problems.length;
    print(`The configuration has ${count === 1 ? 'one problem' : `${count} problems`}; see above.`);
    return exitCode.config;
  }
}

function printWarnings(warnings: readonly ConfigProblem[], print: (line: string) => void): void {
  for (const warning of warnings) print(`warning: ${formatProblem(warning)}`);
}

/** One line for each value that is not the default, as it will be used, with its source; secrets are masked. */
export function describeConfig(config: Config): readonly string[] {
  const sections = ['kojid', 'adjutant'] as const;
  const options = sections.flatMap((section) => [
    `[${section}]`,
    ...describeSection(section, config[section], config),
  ]);
  const limits = Object.entries(config.rlimits).map(
    ([name, { soft, hard }]) => `RLIMIT_${name.toUpperCase()} = ${soft}${hard === null ? '' : ` ${hard}`}`,
  );
  return [...options, ...limits, ...describeSite(config.site)];
}

/** The rules of the site file, as they will be used. */
function describeSite(site: SiteFile | null): readonly string[] {
  if (site === null) return [];
  const of = (what: string, patterns: Patterns | null) =>
    patterns === null ? [] : [`${what} ${patterns.join(',')}`];
  const lines = site.rules.map((rule) => {
    const builds = [...of('tags', rule.tags), ...of('channels', rule.channels)].join(' and ') || 'all builds';
    return `${builds}: ${describeOpened(rule).join('; ')}  (${rule.reason})`;
  });
  return [`[${site.path}]`, ...lines];
}

function describeSection(section: SectionName, values: object, config: Config): readonly string[] {
  const byName = new Map<string, unknown>(Object.entries(values));
  const lines: string[] = [];
  for (const [name, option] of optionsOf(section)) {
    const value = byName.get(name);
    const source = config.sources.get(`${section}.${name}`);
    const defaultText = option.defaultText?.replaceAll(WORKDIR_PLACEHOLDER, config.kojid.workdir) ?? null;
    if (isDeepStrictEqual(value, defaultText === null ? null : option.schema.parse(defaultText))) continue;
    const shown = option.secret ? '[secret]' : showValue(value);
    lines.push(`${name} = ${shown}  (${describeSource(source)})`);
  }
  return lines;
}

function showValue(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value.join(' ');
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : JSON.stringify(value);
}

function describeSource(source: Source | undefined): string {
  switch (source?.kind) {
    case 'file':
      return `${source.file}:${source.line}`;
    case 'environment':
      return `$${source.name}`;
    case 'command-line':
      return source.flag;
    case 'found':
      return 'found';
    default:
      return 'default';
  }
}

import { ENVIRONMENT_PREFIX } from '../load.ts';
import { optionsOf, type SectionName } from '../schema.ts';
import { knownPlugins, kojidAliases, toleratedKojidKeys } from './kojid.ts';
import { rlimitNames } from './rlimits.ts';

/** The text of docs/config-reference.md, made from the option tables. */
export function renderReference(): string {
  const aliases = [...kojidAliases]
    .map(([alias, key]) => `\`${alias}\` is the same as \`${key}\``)
    .join(', ');
  const tolerated = [...toleratedKojidKeys].map((key) => `\`${key}\``).join(' and ');
  const limits = rlimitNames.map((name) => `\`RLIMIT_${name.toUpperCase()}\``).join(', ');
  return `# Configuration reference

<!-- Made from the option tables in src/config by \`npm run docs\`; change it there. -->

\`koji-adjutant check-config\` reads the configuration as the daemon does, prints everything that is wrong with it at
once, or what differs from the defaults, and ends with 0 or 78.

## Files

- \`/etc/kojid/kojid.conf\`, or what \`-c\` names: a file, or a folder whose \`*.conf\` files are read in the order of their
  names. Section \`[kojid]\`, exactly as kojid reads it. A file that \`-c\` names must be there.
- \`adjutant.conf\` beside it, or what \`--adjutant-config\` names: section \`[adjutant]\`. kojid stops at keys it does not
  know; in a file of their own they leave the way back to kojid open. They are also taken from \`[kojid]\`, with
  \`adjutant_\` before the name.
- Environment: \`${ENVIRONMENT_PREFIX}\` and the name of one of our keys in capitals, as \`${ENVIRONMENT_PREFIX}BUILD_MEMORY\`.

The command line wins over the environment, the environment over adjutant.conf, that over kojid.conf.

The files are in the dialect of Python's configparser: \`key = value\` or \`key: value\`; names in any case; a line that
begins with \`;\` or \`#\` is a comment, but neither starts one behind a value; an indented line continues the value above;
\`%\` is an ordinary character. A key that is unknown, or set twice in one file, is an error.

Yes or no: \`1 yes true on\`, \`0 no false off\`, in any case.

## [kojid]

${renderTable('kojid')}
Also: ${aliases}. ${tolerated} are accepted with a warning and have no effect.

${limits} set resource limits: the soft one, or the soft and the hard one (\`RLIMIT_NOFILE = 1024 4096\`, -1 is
unlimited).

\`plugin\` names are reported: ${[...knownPlugins].map(([name, state]) => `\`${name}\` (${state})`).join(', ')}.

## [adjutant]

${renderTable('adjutant')}`;
}

function renderTable(section: SectionName): string {
  const rows = [...optionsOf(section)].map(([name, { label, defaultText, required, summary, effect }]) => {
    const shown = defaultText === null ? (required ? '(required)' : '(not set)') : code(defaultText);
    const meaning = effect === 'used' ? summary : `${summary} **No effect:** ${effect.ignored}.`;
    return `| \`${name}\` | ${shown} | ${cell(label)} | ${cell(meaning)} |\n`;
  });
  return `| Key | Default | Value | Meaning |\n|---|---|---|---|\n${rows.join('')}`;
}

function code(text: string): string {
  return text === '' ? '(empty)' : `\`${cell(text)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

import { printable } from '../core/printable.ts';

/** What one check found. `FAIL`: the daemon cannot work, or takes no work, until that is changed. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'FAIL';
  /** What was looked at. */
  readonly what: string;
  readonly found: string;
  /** What to do about it; null when all is well, or when what was found says so. */
  readonly remedy: string | null;
  /** What a program has said about it, for those who look closer. */
  readonly lines?: readonly string[];
}

export function ok(what: string, found: string): Finding {
  return { level: 'ok', what, found, remedy: null };
}

export function warn(what: string, found: string, remedy: string | null): Finding {
  return { level: 'warn', what, found, remedy };
}

export function fail(what: string, found: string, remedy: string | null): Finding {
  return { level: 'FAIL', what, found, remedy };
}

/** `ok    what: found` or `FAIL  what: found; remedy`, on one line, and below it the lines, each behind a bar. */
export function formatFinding({ level, what, found, remedy, lines = [] }: Finding): string {
  const text = [`${what}: ${found}`, remedy].filter((part) => part !== null).join('; ');
  const first = `${level.padEnd(4)}  ${printable(text.replaceAll(/\s*\n\s*/g, ' '))}`;
  return [first, ...lines.map((line) => `      | ${printable(line)}`)].join('\n');
}

/** The last line of a report: whether this host can build. Only a build that was tried says that it can. */
export function closingWords(findings: readonly Finding[], quick: boolean): string {
  const count = (wanted: Finding['level']) => findings.filter(({ level }) => level === wanted).length;
  const failures = count('FAIL');
  if (failures > 0) return `${failures} of these have to be fixed; see FAIL above.`;
  if (quick)
    return 'A quick look: nothing was built. Without --quick doctor tries whether this host can build.';
  if (!findings.some(({ what }) => what === trialEnd))
    return 'Nothing was built, so whether this host can build is not known.';
  const warnings = count('warn');
  if (warnings === 0) return 'This host can build.';
  return `This host can build, with ${warnings === 1 ? 'a warning' : `${warnings} warnings`} above.`;
}

/** What the last finding about a trial build is called. */
export const trialEnd = 'trial build: clean-up';

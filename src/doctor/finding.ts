import { printable } from '../core/printable.ts';

/** What one check found. `FAIL`: the daemon cannot work, or takes no work, until somebody changes it. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'FAIL';
  /** What was looked at. */
  readonly what: string;
  readonly found: string;
  /** What to do about it; null when all is well, or when what was found says so. */
  readonly remedy: string | null;
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

/** `ok    what: found` or `FAIL  what: found; remedy`, on one line. */
export function formatFinding({ level, what, found, remedy }: Finding): string {
  const text = [`${what}: ${found}`, remedy].filter((part) => part !== null).join('; ');
  return `${level.padEnd(4)}  ${printable(text.replaceAll(/\s*\n\s*/g, ' '))}`;
}

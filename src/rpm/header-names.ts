import { whyNoFileName } from '../core/file-name.ts';
import { printable } from '../core/printable.ts';
import { BadRpm } from './errors.ts';

declare const checked: unique symbol;

/**
 * A text of a header that can be the name of a file or directory, and part of one: not empty, `.` or `..`, without
 * slashes, control characters and bytes that are not UTF-8. Only `checkName` makes it.
 */
export type HeaderName = string & { readonly [checked]: true };

/** What a text of a header names. */
export type Named = 'name' | 'version' | 'release' | 'arch' | 'file name' | 'source package';

/** By these an NVR is taken apart (`rpmCharCheck` of rpmbuild, `koji.check_NVR`). */
const withoutDash: ReadonlySet<Named> = new Set(['version', 'release']);

/**
 * Proves that a text of a header is a name. More is let through than rpmbuild would make (`rpmCharCheck`), for other
 * programs make packages, too. Throws BadRpm.
 */
export function checkName(text: string, what: Named): HeaderName {
  const problem = whyNoFileName(text) ?? whyNoPart(text, what);
  if (problem !== null) throw new BadRpm(`bad main header: its ${what} "${shorten(text)}" ${problem}`);
  return text as HeaderName; // proven above
}

function whyNoPart(text: string, what: Named): string | null {
  if (withoutDash.has(what) && text.includes('-')) return 'has a dash';
  return what === 'name' && text.startsWith('-') ? 'begins with a dash' : null;
}

const shownLength = 100;

/** A text of a header for a message: its beginning, printable. */
export function shorten(text: string): string {
  return printable(text.length <= shownLength ? text : `${text.slice(0, shownLength)}...`);
}

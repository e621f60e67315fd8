import type { z } from 'zod';
import type { OptionType } from './parsers.ts';

/** One row of the option tables: everything that is known about a key. */
export interface Option<T> {
  /** Kind of value, for people. */
  readonly label: string;
  readonly schema: z.ZodType<T, string>;
  /** The default as one would write it; null: not set, the value is then null. */
  readonly defaultText: string | null;
  readonly required: boolean;
  /** Never printed. */
  readonly secret: boolean;
  /** One line about what it does. */
  readonly summary: string;
  /** Whether this daemon heeds it today, or why not. */
  readonly effect: Effect;
}

export type Effect = 'used' | { readonly ignored: string };

/** The typed values of a table: what `loadConfig` makes of it. */
export type Values<Table> = {
  readonly [Key in keyof Table]: Table[Key] extends Option<infer T> ? T : never;
};

interface Extras {
  readonly secret?: true;
  /** Why the daemon does not heed it. */
  readonly ignored?: string;
}

/** An option with a default, written as one would write it in the file. */
export function option<T>(
  type: OptionType<T>,
  defaultText: string,
  summary: string,
  extras: Extras = {},
): Option<T> {
  return row(type, defaultText, false, summary, extras);
}

/** An option that is null unless it is set. */
export function unset<T>(type: OptionType<T>, summary: string, extras: Extras = {}): Option<T | null> {
  return row<T | null>(type, null, false, summary, extras);
}

/** An option without which the daemon cannot start. */
export function required<T>(type: OptionType<T>, summary: string, extras: Extras = {}): Option<T> {
  return row(type, null, true, summary, extras);
}

function row<T>(
  type: OptionType<T>,
  defaultText: string | null,
  isRequired: boolean,
  summary: string,
  { secret = false, ignored }: { readonly secret?: boolean; readonly ignored?: string },
): Option<T> {
  const effect = ignored === undefined ? 'used' : { ignored };
  return {
    label: type.label,
    schema: type.schema,
    defaultText,
    required: isRequired,
    secret,
    summary,
    effect,
  };
}

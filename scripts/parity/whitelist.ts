import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** One field, line or tag in which two builds differ; null where a side does not have it. */
export interface Difference {
  /** Where it stands, such as `build/buildArch x86_64/output/build.log`. */
  readonly path: string;
  readonly kojid: string | null;
  readonly ours: string | null;
}

const Pattern = z.string().transform((text) => new RegExp(text, 'u'));
const Global = z.string().transform((text) => new RegExp(text, 'gu'));

const Line = z.strictObject({
  /** Name of the log. */
  log: z.string(),
  side: z.enum(['kojid', 'ours']),
  /** Lines of this form are left out before logs are compared. */
  line: Pattern,
  reason: z.string().min(1),
});

const Field = z.strictObject({
  /** What it is about, for people. */
  title: z.string().min(1),
  /** Only for builds whose record has this name; `*` stands for anything. */
  case: z.string().transform(toPathPattern).optional(),
  /** Which paths: `*` stands for anything within one step of a path, `**` for many steps. */
  path: z.string().transform(toPathPattern),
  /** What kojid's value has to look like; null: it must not be there. Anything, when left out. */
  kojid: Pattern.nullable().optional(),
  ours: Pattern.nullable().optional(),
  /** Both values must be equal once what this matches is taken out. */
  beside: Global.optional(),
  reason: z.string().min(1),
});

/** What may differ, with reasons: the file whitelist.json. */
export const Whitelist = z.strictObject({ lines: z.array(Line), fields: z.array(Field) });
export type Whitelist = z.output<typeof Whitelist>;
export type Field = z.output<typeof Field>;

/** Reads whitelist.json. */
export function readWhitelist(): Whitelist {
  return Whitelist.parse(JSON.parse(readFileSync(join(import.meta.dirname, 'whitelist.json'), 'utf8')));
}

/** The first entry that excuses a difference in the record of this name, or null. */
export function excuseFor(caseName: string, difference: Difference, { fields }: Whitelist): Field | null {
  return fields.find((field) => (field.case?.test(caseName) ?? true) && excuses(field, difference)) ?? null;
}

function excuses(field: Field, { path, kojid, ours }: Difference): boolean {
  if (!field.path.test(path)) return false;
  if (!fits(field.kojid, kojid) || !fits(field.ours, ours)) return false;
  if (field.beside === undefined) return true;
  return (kojid ?? '').replace(field.beside, '') === (ours ?? '').replace(field.beside, '');
}

function fits(pattern: RegExp | null | undefined, value: string | null): boolean {
  if (pattern === undefined) return true;
  if (pattern === null || value === null) return pattern === value;
  return pattern.test(value);
}

function toPathPattern(glob: string): RegExp {
  const text = glob
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/?|\*/g, (stars) => (stars === '*' ? '[^/]*' : stars.endsWith('/') ? '(?:.*/)?' : '.*'));
  return new RegExp(`^${text}$`, 'u');
}

/** The rows of the table in docs/parity.md: what may differ, and why. */
export function toTableRows(whitelist: Whitelist): readonly string[] {
  return [
    ...whitelist.lines.map(({ log, side, reason }) => `| lines only in ${side}'s \`${log}\` | ${reason} |`),
    ...whitelist.fields.map(({ title, reason }) => `| ${title} | ${reason} |`),
  ];
}

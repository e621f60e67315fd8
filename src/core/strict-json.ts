import { z } from 'zod';

/** An object without other keys than those of `shape`, which says so when there are. */
export function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  const allowed = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `has unknown keys ${issue.keys.join(', ')}; allowed are ${allowed}`
        : `must be an object with ${allowed}`,
  });
}

/** `rules[2].limits.pids must be a whole number above 0, not 1.5`, below `name`, or without it where that is empty. */
export function describeIssue(name: string, issue: z.core.$ZodIssue): string {
  const path = issue.path.reduce<string>(
    (before, key) =>
      typeof key === 'number' ? `${before}[${key}]` : `${before}${before === '' ? '' : '.'}${String(key)}`,
    name,
  );
  return `${path === '' ? 'the whole' : path} ${issue.message}${describeInput(issue)}`;
}

function describeInput(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return '';
  const { input } = issue;
  // It has the right type; what else it should be the message says.
  const isRightType = issue.code === 'custom' || issue.code === 'too_small';
  if (isRightType && typeof input === 'object') return '';
  // Of a wrong discriminator zod hands out the object around it.
  const around = issue.path.at(-1) === 'type' && typeof input === 'object' && input !== null;
  const value: unknown = around ? Object.entries(input).find(([key]) => key === 'type')?.[1] : input;
  if (value === undefined) return ', it is missing';
  if (Array.isArray(value)) return ', not a list';
  return typeof value === 'object' && value !== null ? ', not an object' : `, not ${showJson(value)}`;
}

/** The beginning of a JSON value as text; the hub sends large whole numbers as bigint, which JSON has no word for. */
export function showJson(value: unknown): string {
  const text = JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'bigint' ? each.toString() : each,
  );
  return text.slice(0, 80);
}

import type { Difference } from './difference.ts';
import { type Allowance, whitelist } from './whitelist.ts';

/** A difference, and what excuses it; null: nothing does. */
export interface JudgedDifference extends Difference {
  readonly allowedBy: Allowance | null;
}

/** Holds differences against the whitelist. The first allowance that fits counts. */
export function judgeDifferences(
  differences: readonly Difference[],
  allowances: readonly Allowance[] = whitelist,
): readonly JudgedDifference[] {
  return differences.map((difference) => ({
    ...difference,
    allowedBy: allowances.find((allowance) => excuses(allowance, difference)) ?? null,
  }));
}

function excuses(allowance: Allowance, { what, of, ours, theirs }: Difference): boolean {
  if (!allowance.what.includes(what)) return false;
  if (allowance.of !== undefined && !(of !== null && allowance.of.test(of))) return false;
  if (allowance.missing === 'ours') return ours === null;
  if (allowance.missing === 'theirs') return theirs === null;
  if (allowance.beside === undefined) return true;
  if (ours === null || theirs === null) return false;
  return ours.replace(allowance.beside, '') === theirs.replace(allowance.beside, '');
}

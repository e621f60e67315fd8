/** A line that stands on one side only (the other is null), or one in the place of another. */
export interface LineDifference {
  readonly kojid: string | null;
  readonly ours: string | null;
}

/** Product of the numbers of lines up to which it is worked out which of them differ. */
const maxCells = 4_000_000;

/**
 * The lines in which two texts differ; lines that replace each other stand together. They are as few as can be as
 * long as no more than some 2000 lines of each lie between the first and the last; beyond, all between are taken.
 */
export function lineDifferences(
  kojid: readonly string[],
  ours: readonly string[],
): readonly LineDifference[] {
  let start = 0;
  while (start < kojid.length && start < ours.length && kojid[start] === ours[start]) start += 1;
  let [endKojid, endOurs] = [kojid.length, ours.length];
  while (endKojid > start && endOurs > start && kojid[endKojid - 1] === ours[endOurs - 1]) {
    endKojid -= 1;
    endOurs -= 1;
  }
  const a = kojid.slice(start, endKojid);
  const b = ours.slice(start, endOurs);
  if (a.length * b.length <= maxCells) return walk(a, b, commonLengths(a, b));
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => ({
    kojid: a[i] ?? null,
    ours: b[i] ?? null,
  }));
}

/** For each pair of positions how many lines the rests have in common; a row per line of `a`, and one behind them. */
function commonLengths(a: readonly string[], b: readonly string[]): readonly Uint32Array[] {
  const rows = [new Uint32Array(b.length + 1)];
  for (const line of a.toReversed()) {
    const below = rows.at(-1) ?? new Uint32Array();
    const row = new Uint32Array(b.length + 1);
    for (let y = b.length - 1; y >= 0; y -= 1)
      row[y] = line === b[y] ? at(below, y + 1) + 1 : Math.max(at(below, y), at(row, y + 1));
    rows.push(row);
  }
  return rows.reverse();
}

function walk(
  a: readonly string[],
  b: readonly string[],
  common: readonly Uint32Array[],
): readonly LineDifference[] {
  const differences: LineDifference[] = [];
  let removed: string[] = [];
  let added: string[] = [];
  const flush = () => {
    for (let i = 0; i < Math.max(removed.length, added.length); i += 1)
      differences.push({ kojid: removed[i] ?? null, ours: added[i] ?? null });
    removed = [];
    added = [];
  };
  let [x, y] = [0, 0];
  while (x < a.length || y < b.length) {
    const [left, right] = [a[x], b[y]];
    if (left !== undefined && left === right) {
      flush();
      x += 1;
      y += 1;
    } else if (left !== undefined && (right === undefined || at(common[x + 1], y) >= at(common[x], y + 1))) {
      removed.push(left);
      x += 1;
    } else if (right !== undefined) {
      added.push(right);
      y += 1;
    }
  }
  flush();
  return differences;
}

function at(row: Uint32Array | undefined, index: number): number {
  return row?.[index] ?? 0;
}

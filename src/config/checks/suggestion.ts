/**
 * The known name that may have been meant, as a hint to end a message with (`; did you mean
 * maxjobs?`), or nothing when none is near.
 */
export function suggestion(written: string, known: Iterable<string>): string {
  const most = Math.max(2, Math.floor(written.length / 3));
  let best: { readonly name: string; readonly distance: number } | null = null;
  for (const name of known) {
    const distance = editDistance(written, name);
    if (distance <= most && (best === null || distance < best.distance)) best = { name, distance };
  }
  return best === null ? '' : `; did you mean ${best.name}?`;
}

/** Least number of characters to insert, delete or replace (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [index, character] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (to[column - 1] === character ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

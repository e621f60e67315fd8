/** Figures of several runs, in milliseconds. */
export interface Figures {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The rows as a table in seconds, printed; and as figures, for the report. */
export function printFigures(
  title: string,
  rows: readonly (readonly [name: string, milliseconds: readonly number[]])[],
): Record<string, Figures> {
  const seconds = (ms: number) => (ms / 1000).toFixed(2).padStart(8);
  console.log(`\n${title}\n`);
  console.log(`${''.padEnd(46)}${'median'.padStart(8)}${'min'.padStart(8)}${'max'.padStart(8)}`);
  const figures: Record<string, Figures> = {};
  for (const [name, all] of rows) {
    const one = { median: median(all), min: Math.min(...all), max: Math.max(...all) };
    figures[name] = one;
    console.log(`${name.padEnd(46)}${seconds(one.median)}${seconds(one.min)}${seconds(one.max)}`);
  }
  return figures;
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

import { lineDifferences } from './line-differences.ts';
import type { Difference, Whitelist } from './whitelist.ts';

/** The lines of a log; of names of temporary files only what is not random. */
export function toLines(text: string): readonly string[] {
  return text.replace(/\/rpm-tmp\.\w{6}\b/g, '/rpm-tmp.*').split('\n');
}

/**
 * Lines that only one side has in its log `log` of the task `task`. Those that stand on both sides, but in another
 * place, are one difference of the order.
 */
export function logDifferences(
  task: string,
  log: string,
  kojid: readonly string[],
  ours: readonly string[],
  whitelist: Whitelist,
): readonly Difference[] {
  const kept = (side: 'kojid' | 'ours', lines: readonly string[]) => {
    const ignored = whitelist.lines.filter((entry) => entry.log === log && entry.side === side);
    return lines.filter((line) => !ignored.some((entry) => entry.line.test(line)));
  };
  const found = lineDifferences(kept('kojid', kojid), kept('ours', ours));
  const left = new Rest(found.flatMap((one) => one.kojid ?? []));
  const right = new Rest(found.flatMap((one) => one.ours ?? []));
  const moved = found.flatMap((one) => (one.kojid !== null && right.take(one.kojid) ? [one.kojid] : []));
  for (const line of moved) left.take(line);
  const alone = found
    .map((one) => ({ kojid: left.pick(one.kojid), ours: right.pick(one.ours) }))
    .filter((one) => one.kojid !== null || one.ours !== null);
  const order = {
    path: `${task}/order of ${log}`,
    kojid: moved.slice(0, 20).join('\n'),
    ours: '(in another order)',
  };
  return [
    ...alone.map((one) => ({ path: `${task}/log ${log}`, ...one })),
    ...(moved.length > 0 ? [order] : []),
  ];
}

/** How often each line is left. */
class Rest {
  readonly #counts = new Map<string, number>();

  constructor(lines: readonly string[]) {
    for (const line of lines) this.#counts.set(line, (this.#counts.get(line) ?? 0) + 1);
  }

  /** Takes one of these lines away; false when none is left. */
  take(line: string): boolean {
    const count = this.#counts.get(line) ?? 0;
    if (count > 0) this.#counts.set(line, count - 1);
    return count > 0;
  }

  /** The line, taken away, when one is left. */
  pick(line: string | null): string | null {
    return line !== null && this.take(line) ? line : null;
  }
}

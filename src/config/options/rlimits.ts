import { splitWords } from '../format/python-text.ts';

/** Resource limits by their `ulimit` name in lower case (`nofile`); -1 is unlimited. */
export type Rlimits = Readonly<Record<string, Rlimit>>;

export interface Rlimit {
  readonly soft: number;
  /** Null: the hard limit stays as it is. */
  readonly hard: number | null;
}

/** The start of the keys, which kojid takes in any case. */
export const RLIMIT_PREFIX = 'rlimit_';

/** What Linux has of Python's `resource.RLIMIT_*`; kojid passes over all others without a word. */
export const rlimitNames: readonly string[] = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
];

/**
 * `SOFT` or `SOFT HARD` as kojid reads them (`koji/util.py setup_rlimits`): null when empty, a
 * message about what is wrong when they are no numbers.
 */
export function parseRlimit(text: string): Rlimit | null | { readonly problem: string } {
  const words = splitWords(text);
  if (words.length === 0) return null;
  const [soft, hard = null, ...more] = words.map(Number);
  const numbers = words.every((word) => /^(-1|\d+)$/.test(word));
  if (soft === undefined || !numbers || more.length > 0) {
    return {
      problem: `"${text}" is not a limit; write the soft one, or the soft and the hard one, as 1024 4096 (-1: unlimited)`,
    };
  }
  const reach = (limit: number): number => (limit === -1 ? Number.POSITIVE_INFINITY : limit);
  if (hard !== null && reach(soft) > reach(hard)) {
    return { problem: `the soft limit ${soft} is above the hard one ${hard}; write the smaller one first` };
  }
  return { soft, hard };
}

import { readFile } from 'node:fs/promises';
import type { Rlimits } from '../config/options/rlimits.ts';

/** Soft and hard limit, -1 for unlimited. */
export interface Limit {
  readonly soft: number;
  readonly hard: number;
}

/** By `ulimit` name in lower case (`nofile`). */
export type Limits = Readonly<Record<string, Limit>>;

const nameOf: Readonly<Record<string, string>> = {
  'Max cpu time': 'cpu',
  'Max file size': 'fsize',
  'Max data size': 'data',
  'Max stack size': 'stack',
  'Max core file size': 'core',
  'Max resident set': 'rss',
  'Max processes': 'nproc',
  'Max open files': 'nofile',
  'Max locked memory': 'memlock',
  'Max address space': 'as',
  'Max file locks': 'locks',
  'Max pending signals': 'sigpending',
  'Max msgqueue size': 'msgqueue',
  'Max nice priority': 'nice',
  'Max realtime priority': 'rtprio',
  'Max realtime timeout': 'rttime',
};

/**
 * The limits of this process, which those of a build follow from as under kojid; for processes no more than
 * the kernel can count, which is what an engine lowers its own to.
 */
export async function readHostLimits(): Promise<Limits> {
  const limits = parseLimits(await readFile('/proc/self/limits', 'utf8'));
  const most = Number(await readFile('/proc/sys/kernel/pid_max', 'utf8'));
  const { soft = -1, hard = -1 } = limits['nproc'] ?? {};
  return { ...limits, nproc: { soft: least(soft, most), hard: least(hard, most) } };
}

/** Reads `/proc/<pid>/limits`. */
export function parseLimits(text: string): Limits {
  const number = (word: string) => (word === 'unlimited' ? -1 : Number(word));
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const [, title = '', soft = '', hard = ''] = /^(\S.*?)\s{2,}(\S+)\s+(\S+)/.exec(line) ?? [];
      const name = nameOf[title];
      return name === undefined ? [] : [[name, { soft: number(soft), hard: number(hard) }]];
    }),
  );
}

/** Node raises the soft limit of its own process; this is what the kernel and systemd begin with, and what select(2) can take. */
const softFiles = 1024;
/** What systemd gives services. An engine that may not raise limits has no more. */
const mostFiles = 524_288;

/**
 * The two limits that a container is always given. nproc counts per user id of the host over all
 * containers, so it is no limit for one build: the pids limit is.
 */
export function ulimitsOf(host: Limits): { readonly nofile: Limit; readonly nproc: Limit } {
  const files = least(host['nofile']?.hard ?? -1, mostFiles);
  return {
    nofile: { soft: least(softFiles, files), hard: files },
    nproc: host['nproc'] ?? { soft: -1, hard: -1 },
  };
}

/**
 * kojid's `RLIMIT_*` keys: where only the soft limit is given the hard one stays as it is
 * (`koji/util.py setup_rlimits`), and the soft one ends there.
 */
export function configuredUlimits(configured: Rlimits, host: Limits): Limits {
  return Object.fromEntries(
    Object.entries(configured).map(([name, { soft, hard }]) => {
      const most = hard ?? host[name]?.hard ?? soft;
      return [name, { soft: least(soft, most), hard: most }];
    }),
  );
}

function least(a: number, b: number): number {
  if (a === -1) return b;
  return b === -1 ? a : Math.min(a, b);
}

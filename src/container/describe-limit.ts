import type { LimitHit } from './spec.ts';

/** What became of a container that has run into a limit, for logs and faults: `killed by the disk limit of 10 GiB (peak 10.3 GiB)`. */
export function describeLimit({ limit, allowed, peak }: LimitHit): string {
  switch (limit) {
    case 'memory':
    case 'disk':
    case 'log':
      return `killed by the ${limit} limit of ${inUnits(allowed)} (peak ${inUnits(peak)})`;
    case 'pids':
      return `stopped by the limit of ${allowed} processes (peak ${peak})`;
    case 'idle':
      return `killed by the idle limit of ${inSeconds(allowed)} (no output for ${inSeconds(peak)})`;
  }
}

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1.5 GiB`; a fraction only where there is one. */
export function inUnits(bytes: number): string {
  const power = Math.min(Math.max(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), 0), units.length - 1);
  return `${Math.round((bytes / 2 ** (10 * power)) * 10) / 10} ${units[power]}`;
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}

import { expect, it } from 'vitest';
import { describeLimit } from './describe-limit.ts';

const gibibyte = 2 ** 30;

it.each([
  [
    { limit: 'memory', allowed: 4 * gibibyte, peak: 4 * gibibyte },
    'killed by the memory limit of 4 GiB (peak 4 GiB)',
  ],
  [
    { limit: 'disk', allowed: 10 * gibibyte, peak: 10.26 * gibibyte },
    'killed by the disk limit of 10 GiB (peak 10.3 GiB)',
  ],
  [{ limit: 'log', allowed: 1000, peak: 2048 }, 'killed by the log limit of 1000 bytes (peak 2 KiB)'],
  [{ limit: 'pids', allowed: 400, peak: 400 }, 'stopped by the limit of 400 processes (peak 400)'],
  [
    { limit: 'idle', allowed: 600_000, peak: 600_120 },
    'killed by the idle limit of 600 s (no output for 600.1 s)',
  ],
] as const)('says what a limit did: %o', (hit, text) => {
  expect(describeLimit(hit)).toBe(text);
});

import { describe, expect, it } from 'vitest';
import { parallelism } from './parallelism.ts';

const gib = 1024 ** 3;

describe('parallelism', () => {
  it.each([
    ['nothing is limited', {}, null],
    ['one processor is allowed', { cpus: 1 }, 1],
    ['a fraction of one is allowed', { cpus: 0.01 }, 1],
    ['three and a half are allowed', { cpus: 3.5 }, 4],
    ['more are allowed than there are', { cpus: 100 }, null],
    ['as many are allowed as there are', { cpus: 8 }, null],
    ['the memory holds four', { memoryBytes: 2 * gib }, 4],
    ['the memory holds not even one', { memoryBytes: gib / 4 }, 1],
    ['the memory holds more than there are', { memoryBytes: 64 * gib }, null],
    ['memory is the scarcer one', { cpus: 4, memoryBytes: gib }, 2],
    ['processors are the scarcer ones', { cpus: 2, memoryBytes: 2 * gib }, 2],
  ] as const)('on eight processors, where %s', (_what, limits, processes) => {
    expect(parallelism(limits, 8)).toBe(processes);
  });
});

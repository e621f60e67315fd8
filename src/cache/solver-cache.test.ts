import { stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { solvedPackage } from '../../test/support/fake-root.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { digestOf, inboundOf, type Solution, SolverCache } from './solver-cache.ts';

const solution: Solution = {
  elements: [solvedPackage('bash'), { action: 'remove', name: 'sed-1-1.x86_64', header: '0123' }],
};

describe('SolverCache', () => {
  it('gives what was kept for a question, also after a restart', async () => {
    const directory = await temporaryDirectory();
    await new SolverCache(directory).keep('k', solution);

    expect(await new SolverCache(directory).find('k')).toEqual(solution);
    expect(await new SolverCache(directory).find('other')).toBeNull();
  });

  it('notes the use of an answer', async () => {
    const directory = await temporaryDirectory();
    const memo = new SolverCache(directory);
    await memo.keep('k', solution);
    await utimes(join(directory, 'k.json'), 1, 1);

    await memo.find('k');

    expect((await stat(join(directory, 'k.json'))).mtimeMs).toBeGreaterThan(1_000_000_000_000);
  });

  it('does not take an answer of another shape for one', async () => {
    const directory = await temporaryDirectory();
    const { action: _, ...former } = solvedPackage('bash');
    const others = [{ packages: [former], removals: [] }, { elements: [former] }, { elements: ['bash'] }];
    for (const other of others) {
      await writeFile(join(directory, 'k.json'), JSON.stringify(other));

      expect(await new SolverCache(directory).find('k')).toBeNull();
    }
  });
});

describe('inboundOf', () => {
  it('leaves out what leaves the root', () => {
    expect(inboundOf(solution)).toEqual([solvedPackage('bash')]);
  });
});

describe('digestOf', () => {
  it('is the same for the same values in the same order, and for no others', () => {
    expect(digestOf('a', ['b', null])).toBe(digestOf('a', ['b', null]));
    expect(digestOf('a', ['b', null])).toMatch(/^[0-9a-f]{64}$/);
    const others = [
      digestOf('a', 'b', null),
      digestOf('a', [null, 'b']),
      digestOf('a', ['b']),
      digestOf('ab'),
    ];
    expect(new Set([...others, digestOf('a', ['b', null])]).size).toBe(5);
  });
});

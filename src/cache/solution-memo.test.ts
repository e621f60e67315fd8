import { stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { solvedPackage } from '../../test/support/fake-root.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { digestOf, SolutionMemo } from './solution-memo.ts';

const solution = { packages: [solvedPackage('bash')], removals: ['sed-1-1.x86_64'] };

describe('SolutionMemo', () => {
  it('gives what was kept for a question, also after a restart', async () => {
    const directory = await temporaryDirectory();
    await new SolutionMemo(directory).keep('k', solution);

    expect(await new SolutionMemo(directory).find('k')).toEqual(solution);
    expect(await new SolutionMemo(directory).find('other')).toBeNull();
  });

  it('notes the use of an answer', async () => {
    const directory = await temporaryDirectory();
    const memo = new SolutionMemo(directory);
    await memo.keep('k', solution);
    await utimes(join(directory, 'k.json'), 1, 1);

    await memo.find('k');

    expect((await stat(join(directory, 'k.json'))).mtimeMs).toBeGreaterThan(1_000_000_000_000);
  });

  it('does not take an answer of another shape for one', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'k.json'), '{"packages": ["bash"], "removals": []}');

    expect(await new SolutionMemo(directory).find('k')).toBeNull();
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

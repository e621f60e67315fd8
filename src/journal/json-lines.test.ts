import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { fillDiskAfter } from '../../test/support/full-disk.ts';
import { JsonLines } from './json-lines.ts';

async function place(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lines-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'journal');
}

describe('JsonLines', () => {
  it('leaves out a line for which there was no room, and continues with the next', async () => {
    const path = await place();
    const lines = await JsonLines.create(path);
    await lines.append('first');
    await fillDiskAfter(4);

    await expect(lines.append('second')).rejects.toThrow('no space left');
    vi.restoreAllMocks();
    await lines.append('third');
    await lines.close();

    expect(await readFile(path, 'utf8')).toBe('"first"\n"third"\n');
    expect((await JsonLines.reopen(path)).values).toEqual(['first', 'third']);
  });
});

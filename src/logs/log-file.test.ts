import { mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { fillDiskAfter } from '../../test/support/full-disk.ts';
import { LogDamaged, LogFile } from './log-file.ts';

async function place(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'log-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'build.log');
}

async function replace(path: string, content: string): Promise<void> {
  await writeFile(`${path}.other`, content);
  await rename(`${path}.other`, path);
}

describe('LogFile', () => {
  it('takes nothing of what there is no room for, and all of what comes when there is', async () => {
    const path = await place();
    const file = await LogFile.create('build.log', path);
    await file.write('one\n');
    await fillDiskAfter(2);

    await expect(file.write('two\n')).rejects.toThrow('no space left');
    vi.restoreAllMocks();
    await file.write('three\n');
    await file.close();

    expect(await readFile(path, 'utf8')).toBe('one\nthree\n');
    expect(file.size).toBe(10);
  });

  it.each([
    ['cut', (path: string) => truncate(path, 2), false],
    ['cut', (path: string) => truncate(path, 2), true],
    ['removed', (path: string) => rm(path), false],
    ['replaced by more', (path: string) => replace(path, 'something else\n'), false],
    ['replaced by more', (path: string) => replace(path, 'something else\n'), true],
  ])('does not go on when somebody has %s it meanwhile', async (_how, harm, growing) => {
    const path = await place();
    const before = await LogFile.create('build.log', path);
    await before.write('one\n');
    const { mark } = before;
    await before.close();
    await harm(path);

    const file = await LogFile.reopen('build.log', path);
    onTestFinished(() => file.close());

    await expect(file.resume(mark, growing)).rejects.toThrow(LogDamaged);
  });

  it.each([
    ['at a size', false, 'one\nthree\n'],
    ['behind all that is there', true, 'one\ntwo\nthree\n'],
  ])('continues %s', async (_where, growing, content) => {
    const path = await place();
    await writeFile(path, 'one\ntwo\n');
    const file = await LogFile.reopen('build.log', path);

    await file.resume({ ...file.mark, size: 4 }, growing);
    await file.write('three\n');
    await file.close();

    expect(await readFile(path, 'utf8')).toBe(content);
  });

  it.each([
    ['cut', (path: string) => truncate(path, 2)],
    ['removed', (path: string) => rm(path)],
    ['replaced', (path: string) => rm(path).then(() => writeFile(path, 'one\n'))],
  ])('says that it is not whole when somebody has %s it', async (_how, harm) => {
    const path = await place();
    const file = await LogFile.create('build.log', path);
    onTestFinished(() => file.close());
    await file.write('one\n');
    await expect(file.assertWhole()).resolves.toBeUndefined();

    await harm(path);

    await expect(file.assertWhole()).rejects.toThrow(LogDamaged);
  });
});

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { never } from '../core/never.ts';
import { MetadataCache } from './metadata-cache.ts';

const same = (path: string) => path;

async function setUp(
  files: Readonly<Record<string, string>> = { 'build.solv': 'parsed', 'build/repomd.xml': 'as it came' },
) {
  const directory = await temporaryDirectory();
  const [store, source, target] = [
    join(directory, 'store'),
    join(directory, 'source'),
    join(directory, 'target'),
  ];
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(source, path)), { recursive: true });
    await writeFile(join(source, path), content);
  }
  return { store, source, target, cache: new MetadataCache(store) };
}

describe('MetadataCache', () => {
  it('gives copies of what was kept, under the names that the reader wants', async () => {
    const { cache, source, target } = await setUp({
      'build.solv': 'parsed',
      'x/repomd.xml': 'as it came',
      log: '',
    });
    await cache.keep('k', source, (path) => (path === 'log' ? null : path.replace('x/', 'kept/')), never);

    expect(await cache.copyTo('k', target, (path) => path.replace('kept/', 'y/'), never)).toBe(true);

    expect((await readdir(target)).sort()).toEqual(['build.solv', 'y']);
    expect(await readFile(join(target, 'y/repomd.xml'), 'utf8')).toBe('as it came');
    // A solver that writes to its copies changes nothing for the others.
    await writeFile(join(target, 'build.solv'), 'changed');
    await rm(target, { recursive: true });
    expect(await cache.copyTo('k', target, same, never)).toBe(true);
    expect(await readFile(join(target, 'build.solv'), 'utf8')).toBe('parsed');
  });

  it('has nothing before anything was kept', async () => {
    const { cache, target } = await setUp();

    expect(await cache.copyTo('k', target, same, never)).toBe(false);
    expect(await cache.list()).toEqual([]);
  });

  it.each<[string, (store: string) => Promise<unknown>]>([
    ['other bytes', (store) => writeFile(join(store, 'k/build.solv'), 'PARSED')],
    ['fewer bytes', (store) => writeFile(join(store, 'k/build.solv'), 'par')],
    ['no such file any more', (store) => rm(join(store, 'k/build/repomd.xml'))],
    ['a record that says nothing', (store) => writeFile(join(store, 'k/record.json'), '{"files":')],
  ])('gives nothing of what is damaged: %s; and keeps it anew', async (_what, damage) => {
    const { cache, store, source, target } = await setUp();
    await cache.keep('k', source, same, never);
    await damage(store);

    expect(await cache.copyTo('k', target, same, never)).toBe(false);

    expect(await readdir(dirname(target))).not.toContain('target');
    await cache.keep('k', source, same, never);
    expect(await cache.copyTo('k', target, same, never)).toBe(true);
  });

  it('may be filled with the same by several at once', async () => {
    const { cache, store, source, target } = await setUp();

    await Promise.all(Array.from({ length: 4 }, () => cache.keep('k', source, same, never)));

    expect(await readdir(store)).toEqual(['k']);
    expect(await cache.copyTo('k', target, same, never)).toBe(true);
  });

  it('leaves nothing behind when it is told to stop', async () => {
    const { cache, store, source, target } = await setUp();
    const stopped = AbortSignal.abort(new Error('cancelled'));

    await expect(cache.keep('k', source, same, stopped)).rejects.toThrow();
    expect(await readdir(store).catch(() => [])).toEqual([]);
    await cache.keep('k', source, same, never);
    await expect(cache.copyTo('k', target, same, stopped)).rejects.toThrow();
    expect(await readdir(dirname(target))).not.toContain('target');
    expect(await cache.copyTo('k', target, same, never)).toBe(true);
  });

  it('lists what it has, drafts of an ended process included, and removes it', async () => {
    const { cache, store, source } = await setUp();
    await cache.keep('k', source, same, never);
    await mkdir(join(store, 'old.1.new'));

    const listed = await cache.list();

    expect(listed.map(({ key, sizeBytes }) => [key, sizeBytes]).sort()).toEqual([
      ['k', 16],
      ['old.1.new', 0],
    ]);
    for (const one of listed) await cache.remove(one);
    expect(await readdir(store)).toEqual([]);
  });
});

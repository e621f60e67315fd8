import { createHash } from 'node:crypto';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { emptyCache } from '../../test/support/root-bench.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { FakeRuntime } from '../container/fake/fake-runtime.ts';
import { never } from '../core/never.ts';
import { halveCache, trimCache } from './eviction.ts';
import { RepoOrigins } from './repo-origins.ts';

const keys = ['a', 'b', 'c'].map((letter) => letter.repeat(64));
const owner = { workerId: 'w', taskId: 1, phase: 'root', attempt: 1 };

/** Three snapshots of 1000 bytes, three packages of 10; a is older than b, and b than c. */
async function setUp() {
  const directory = await temporaryDirectory();
  const containers = new FakeRuntime({ clock: new ManualClock(), images: {} });
  const cache = emptyCache(containers.ports, directory);
  for (const [index, key] of keys.entries()) {
    const draft = { name: `root-${index}`, parent: null, owner, labels: {} };
    const { root } = await containers.roots.prepare(draft, never);
    await cache.snapshots.keep({ key, listing: '', title: 't' }, root, never);
    await utimes(join(directory, `cache/snapshots/${key}.json`), index + 1, index + 1);
    const content = String(index).repeat(10);
    await writeFile(join(directory, 'x.rpm'), content);
    const checksum = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    const urls = [pathToFileURL(join(directory, 'x.rpm')).href];
    const one = { checksum, sizeBytes: 10, urls, origins: new RepoOrigins(urls) };
    await cache.packages.ensure([one], never);
    const file = (await cache.packages.list()).find(({ path }) => path.includes(checksum.slice(7)));
    await utimes(file?.path ?? '', index + 1, index + 1);
  }
  return {
    cache,
    directory,
    snapshots: async () => (await cache.snapshots.list(never)).map(({ key }) => key).sort(),
    /** Times of the packages' last uses. */
    packages: async () => (await cache.packages.list()).map(({ usedMs }) => usedMs / 1000).sort(),
  };
}

describe('trimCache', () => {
  it('leaves a cache alone that is within its budget', async () => {
    const { cache, snapshots, packages } = await setUp();

    expect(
      await trimCache(
        cache,
        { snapshotBytes: 3000, packageBytes: 30, failedBytes: 0, solutions: 5000 },
        never,
      ),
    ).toMatchObject({
      snapshots: { count: 3, bytes: 3000, removed: 0 },
      packages: { count: 3, bytes: 30, removed: 0 },
    });

    expect(await snapshots()).toEqual(keys);
    expect(await packages()).toEqual([1, 2, 3]);
  });

  it('removes what was not used for the longest time', async () => {
    const { cache, snapshots, packages } = await setUp();
    await cache.snapshots.find(keys[0] ?? '', never);

    expect(
      await trimCache(
        cache,
        { snapshotBytes: 2999, packageBytes: 10, failedBytes: 0, solutions: 5000 },
        never,
      ),
    ).toMatchObject({
      snapshots: { count: 2, bytes: 2000, removed: 1 },
      packages: { count: 1, bytes: 10, removed: 2 },
    });

    expect(await snapshots()).toEqual([keys[0], keys[2]]);
    expect(await packages()).toEqual([3]);
  });

  it('leaves what is in use, whatever the budget', async () => {
    const { cache, snapshots } = await setUp();
    using _held = cache.snapshots.hold(keys[1] ?? '');

    expect(
      await trimCache(cache, { snapshotBytes: 0, packageBytes: 30, failedBytes: 0, solutions: 5000 }, never),
    ).toMatchObject({
      snapshots: { count: 1, bytes: 1000, removed: 2 },
    });

    expect(await snapshots()).toEqual([keys[1]]);
  });

  it('stops when it is told to', async () => {
    const { cache, packages } = await setUp();

    const trimming = trimCache(
      cache,
      { snapshotBytes: 0, packageBytes: 0, failedBytes: 0, solutions: 5000 },
      AbortSignal.abort(new Error('over')),
    );

    await expect(trimming).rejects.toThrow('over');
    expect(await packages()).toHaveLength(3);
  });

  it('has nothing to do before anything was cached', async () => {
    const directory = await temporaryDirectory();
    const cache = emptyCache(new FakeRuntime({ clock: new ManualClock(), images: {} }).ports, directory);

    expect(
      await trimCache(cache, { snapshotBytes: 0, packageBytes: 0, failedBytes: 0, solutions: 5000 }, never),
    ).toMatchObject({
      snapshots: { count: 0 },
      packages: { count: 0 },
    });
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('PackageCache.remove', () => {
  it('leaves a file that was used since it was listed, or is gone', async () => {
    const { cache } = await setUp();
    const [one, other] = await cache.packages.list();
    if (one === undefined || other === undefined) throw new Error('there are three');
    await utimes(one.path, 99, 99);
    expect(await cache.packages.remove(other)).toBe(true);

    expect(await cache.packages.remove(one)).toBe(false);
    expect(await cache.packages.remove(other)).toBe(false);
    expect(await cache.packages.list()).toHaveLength(2);
  });
});

describe('SolverCache.trim', () => {
  it('leaves the answers that were used last, and drafts of new ones', async () => {
    const { cache, directory } = await setUp();
    for (const [index, key] of keys.entries()) {
      await cache.solutions.keep(key, { elements: [] });
      await utimes(join(directory, `cache/solutions/${key}.json`), index + 1, index + 1);
    }
    await writeFile(join(directory, 'cache/solutions/d.json.1.new'), '');

    expect(await cache.solutions.trim(2)).toBe(1);

    expect((await readdir(join(directory, 'cache/solutions'))).sort()).toEqual([
      ...[`${keys[1]}.json`, `${keys[2]}.json`, 'd.json.1.new'],
    ]);
  });
});

describe('halveCache', () => {
  it('removes all that is little', async () => {
    const { cache, snapshots, packages } = await setUp();

    await halveCache(cache, never);

    expect(await snapshots()).toEqual([]);
    expect(await packages()).toEqual([]);
  });

  it('leaves what is in use', async () => {
    const { cache, snapshots } = await setUp();
    using _held = cache.snapshots.hold(keys[0] ?? '');

    await halveCache(cache, never);

    expect(await snapshots()).toEqual([keys[0]]);
  });

  it('leaves the half of much that was used last', async () => {
    const { cache, directory } = await setUp();
    const big = join(directory, 'cache/packages/big');
    await writeFile(big, Buffer.alloc(5 * 2 ** 20));
    await utimes(big, 10, 10);
    const old = join(directory, 'cache/packages/old');
    await writeFile(old, Buffer.alloc(6 * 2 ** 20));
    await utimes(old, 5, 5);

    await halveCache(cache, never);

    const left = (await cache.packages.list()).map(({ path }) => path);
    expect(left).toEqual([big]);
  });
});

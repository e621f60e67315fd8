import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { failureOf } from '../../test/support/root-bench.ts';
import { keptLog } from '../../test/support/silent-log.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { FakeRuntime } from '../container/fake/fake-runtime.ts';
import { never } from '../core/never.ts';
import { SnapshotStore } from './snapshot-store.ts';

const key = 'a'.repeat(64);
const kept = { key, listing: 'bash\t1\n', title: '@build of x' };

const owner = { workerId: 'w', taskId: 1, phase: 'root', attempt: 1 };

async function setUp() {
  const directory = await temporaryDirectory();
  const containers = new FakeRuntime({ clock: new ManualClock(), images: {} });
  const { log, lines } = keptLog();
  const { roots } = containers;
  const store = new SnapshotStore(roots, directory, log);
  const another = (name: string) => roots.prepare({ name, parent: null, owner, labels: {} }, never);
  const draft = await another('root');
  return {
    directory,
    containers,
    roots,
    store,
    said: () => lines.map(({ msg }) => msg),
    root: { kind: 'kept', id: `${directory}:${key}` },
    record: join(directory, `${key}.json`),
    keep: () => store.keep(kept, draft.root, never),
    /** Another draft. */
    another,
  };
}

describe('SnapshotStore.find', () => {
  it('has nothing of a key that nobody kept', async () => {
    const { store, containers } = await setUp();

    expect(await store.find(key, never)).toBeNull();
    expect(containers.calls).toEqual(['prepare root']);
  });

  it('gives what was kept, also after a restart, and notes its use', async () => {
    const { store, keep, roots, directory, record, root } = await setUp();
    await keep();
    await utimes(record, 1, 1);

    expect(await store.find(key, never)).toEqual({ ...kept, root });

    expect((await stat(record)).mtimeMs).toBeGreaterThan(1_000_000_000_000);
    const later = new SnapshotStore(roots, directory, keptLog().log);
    expect(await later.find(key, never)).toEqual({ ...kept, root });
    expect(await roots.list(never)).toMatchObject([{ root, name: { key, area: directory } }]);
  });

  it('does not take a root that another process has put in its place', async () => {
    const { store, keep, roots, another, said, directory } = await setUp();
    await keep();
    await roots.commit((await another('other')).root, { key, area: directory }, never);

    expect(await store.find(key, never)).toBeNull();

    expect(said().at(-1)).toBe('the root of a snapshot was replaced, making the snapshot again');
    expect(await readdir(directory)).toEqual([]);
  });

  it('does not count on a record whose root is gone', async () => {
    const { store, keep, roots, said, directory } = await setUp();
    await keep();
    await roots.remove({ key, area: directory });

    expect(await store.find(key, never)).toBeNull();

    expect(said().at(-1)).toBe('the root of a snapshot is gone, making the snapshot again');
    expect(await readdir(directory)).toEqual([]);
  });

  it('does not count on a root whose record is damaged, and can keep it again', async () => {
    const { store, keep, record, another } = await setUp();
    await keep();
    await writeFile(record, '{"key": ');

    expect(await store.find(key, never)).toBeNull();
    await store.keep(kept, (await another('again')).root, never);

    expect(await store.find(key, never)).toMatchObject({ key });
  });

  it('passes on that the engine does not answer', async () => {
    const { store, keep, roots } = await setUp();
    await keep();
    roots.find = () => Promise.reject(new Error('no engine'));

    await expect(store.find(key, never)).rejects.toThrow('no engine');
  });
});

describe('SnapshotStore.keep', () => {
  it('gives the root', async () => {
    const { keep, root } = await setUp();

    expect(await keep()).toEqual(root);
  });

  it('leaves no record of what could not be kept, which may be tried again', async () => {
    const { store, keep, roots } = await setUp();
    const commit = roots.commit.bind(roots);
    roots.commit = () => Promise.reject(new Error('no space left'));

    await expect(keep()).rejects.toThrow('no space left');
    expect(await store.find(key, never)).toBeNull();

    roots.commit = commit;
    await keep();
    expect(await store.find(key, never)).toMatchObject({ key });
  });
});

describe('SnapshotStore.alone', () => {
  const silent = async () => undefined;

  it('lets one make it while the others wait', async () => {
    const { store } = await setUp();
    const made = Promise.withResolvers<string>();
    const told: string[] = [];

    const first = store.alone(key, () => made.promise, silent, never);
    const waiting = async () => void told.push('waits');
    const second = store.alone(key, () => Promise.resolve('twice'), waiting, never);
    const other = await store.alone('b'.repeat(64), () => Promise.resolve('other'), waiting, never);
    made.resolve('made');

    expect([await first, await second, other]).toEqual(['made', null, 'other']);
    expect(told).toEqual(['waits']);
  });

  it('keeps the failure of one from those who wait, and lets the next one try', async () => {
    const { store } = await setUp();
    const made = Promise.withResolvers<string>();

    const first = failureOf(store.alone(key, () => made.promise, silent, never));
    const second = store.alone(key, () => Promise.resolve('twice'), silent, never);
    made.reject(new Error('out of luck'));

    expect(await first).toMatchObject({ message: 'out of luck' });
    expect(await second).toBeNull();
    expect(await store.alone(key, () => Promise.resolve('again'), silent, never)).toBe('again');
  });

  it('makes nobody wait longer than he wants', async () => {
    const { store } = await setUp();
    const made = Promise.withResolvers<string>();
    const abort = new AbortController();

    const first = store.alone(key, () => made.promise, silent, never);
    const leaving = failureOf(store.alone(key, () => Promise.resolve('twice'), silent, abort.signal));
    abort.abort(new Error('cancelled'));

    expect(await leaving).toMatchObject({ message: 'cancelled' });
    made.resolve('made');
    expect(await first).toBe('made');
  });
});

describe('SnapshotStore.forget', () => {
  it('removes root and record', async () => {
    const { store, keep, roots, directory } = await setUp();
    await keep();

    expect(await store.forget(key)).toBe(true);

    expect(await readdir(directory)).toEqual([]);
    expect(await roots.list(never)).toEqual([]);
  });

  it('leaves a snapshot alone that another root is made on', async () => {
    const { store, keep, roots } = await setUp();
    const parent = await keep();
    await store.find(key, never);
    await using _user = await roots.prepare({ name: 'user', parent, owner, labels: {} }, never);

    expect(await store.forget(key)).toBe(false);

    expect(await store.find(key, never)).toMatchObject({ key });
  });

  it('leaves a snapshot alone that somebody holds, until all have let go', async () => {
    const { store, keep } = await setUp();
    await keep();
    const [one, other] = [store.hold(key), store.hold(key)];

    one[Symbol.dispose]();
    one[Symbol.dispose]();
    expect(await store.forget(key)).toBe(false);
    other[Symbol.dispose]();
    expect(await store.forget(key)).toBe(true);
  });
});

describe('SnapshotStore.sweep', () => {
  it('removes roots without record, but neither those that have one nor those of others that are there', async () => {
    const { store, keep, roots, another, directory, record, root } = await setUp();
    await keep();
    const stranger = new SnapshotStore(roots, join(directory, 'other'), keptLog().log);
    await stranger.keep(kept, (await another('strange')).root, never);

    expect(await store.sweep(never)).toBe(0);
    expect(await store.find(key, never)).toMatchObject({ key });
    await rm(record);
    expect(await store.sweep(never)).toBe(1);

    const left = await roots.list(never);
    expect(left).toHaveLength(1);
    expect(left).not.toContainEqual(expect.objectContaining({ root }));
    expect(await stranger.find(key, never)).toMatchObject({ key });

    await rm(join(directory, 'other'), { recursive: true });
    expect(await store.sweep(never)).toBe(1);
    expect(await roots.list(never)).toEqual([]);
  });
});

describe('SnapshotStore.list', () => {
  it('tells of each snapshot what it is, how big, and when it was used', async () => {
    const { store, keep, record } = await setUp();
    await keep();
    await utimes(record, 5, 5);

    expect(await store.list(never)).toEqual([
      { key, title: '@build of x', usedMs: 5000, ownBytes: 1000, createdMs: expect.any(Number) },
    ]);
  });

  it('leaves out records without root, roots without record, and what is no record', async () => {
    const { store, keep, roots, another, directory } = await setUp();
    await keep();
    await writeFile(
      join(directory, 'b.json'),
      JSON.stringify({ ...kept, key: 'b', imageId: 'gone', ownBytes: 1 }),
    );
    await writeFile(join(directory, 'c.json'), 'c');
    await writeFile(join(directory, 'd.new'), '');
    await roots.commit((await another('other')).root, { key: 'x', area: directory }, never);

    expect((await store.list(never)).map((one) => one.key)).toEqual([key]);
  });

  it('is empty before anything was kept', async () => {
    const { roots, directory } = await setUp();

    const store = new SnapshotStore(roots, join(directory, 'not-there'), keptLog().log);

    expect(await store.list(never)).toEqual([]);
  });
});

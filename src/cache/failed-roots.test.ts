import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { emptyCache } from '../../test/support/root-bench.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { FakeRuntime } from '../container/fake/fake-runtime.ts';
import { reapOrphans } from '../container/reaper.ts';
import type { ContainerSpec } from '../container/spec.ts';
import { never } from '../core/never.ts';
import { halveCache, trimCache } from './eviction.ts';

const hour = 3_600_000;
const unlimited = { snapshotBytes: 2 ** 40, packageBytes: 2 ** 40, solutions: 10 };

function spec(name: string, taskId: number): ContainerSpec {
  return {
    name,
    root: { kind: 'image', image: 'localhost/root:1' },
    command: ['/bin/x'],
    env: {},
    workdir: '/',
    user: { uid: 1000, gid: 135 },
    capabilities: [],
    isolation: 'plain',
    network: 'none',
    hostname: 'h',
    mounts: [],
    labels: {},
    limits: { pids: 1 },
    owner: { workerId: 'w', taskId, phase: 'build', attempt: 1 },
  };
}

async function setUp() {
  const directory = await temporaryDirectory();
  const clock = new ManualClock();
  const containers = new FakeRuntime({
    clock,
    images: { 'localhost/root:1': { id: 'i', digest: 'sha256:0', arch: 'x86_64' } },
    behave: () => ({ files: { '/builddir/x': Buffer.alloc(3 * 2 ** 20) } }),
  });
  await containers.images.ensure('localhost/root:1', 'never', never);
  const open = () => emptyCache(containers.ports, directory, clock, hour);
  const cache = open();
  const fail = async (taskId: number) => {
    const container = await containers.create(spec(`build-${taskId}`, taskId), never);
    await container.start(never);
    await container.wait(never);
    cache.failed.keep({
      taskId,
      buildrootId: 9,
      failure: 'rpmbuild (status 1)',
      repeat: 'rpmbuild -bb',
      container,
      shell: (root) => ({ ...spec('shell', taskId), root: { kind: 'visit', root, stays: [] } }),
    });
    await cache.failed.idle();
  };
  const kept = async () => (await cache.failed.list()).map(({ taskId }) => taskId);
  const there = async () => (await containers.list('w', never)).map(({ name }) => name);
  return { cache, clock, containers, open, fail, kept, there };
}

describe('FailedRoots', () => {
  it('keep what a failed step has left, with how to do it again', async () => {
    const { cache, fail } = await setUp();

    await fail(1);

    expect(await cache.failed.list()).toMatchObject([
      {
        id: '1-9',
        taskId: 1,
        buildrootId: 9,
        failure: 'rpmbuild (status 1)',
        repeat: 'rpmbuild -bb',
        bytes: 3 * 2 ** 20,
        containers: ['fake-1'],
        shell: { root: { kind: 'visit', root: { kind: 'failed', id: 'fake-1' } } },
      },
    ]);
  });

  it('are there for the next process, whose start leaves their containers alone', async () => {
    const { containers, open, fail, there } = await setUp();
    await fail(1);
    await containers.create(spec('stray', 2), never);

    const next = open().failed;
    const stay = await next.sweep('w', never);
    await reapOrphans(containers, 'w', ({ id }) => stay.has(id), silentLog, never);

    expect(await there()).toEqual(['build-1']);
    expect(await next.list()).toHaveLength(1);
  });

  it('forget a root whose container was removed by hand', async () => {
    const { cache, containers, fail, kept } = await setUp();
    await fail(1);
    await containers.remove('fake-1');

    expect(await cache.failed.sweep('w', never)).toEqual(new Set());
    expect(await kept()).toEqual([]);
  });

  it('go when their time is over', async () => {
    const { cache, clock, fail, kept, there } = await setUp();
    await fail(1);
    await clock.advance(hour / 2);
    await fail(2);
    await clock.advance(hour / 2);

    expect(await trimCache(cache, { ...unlimited, failedBytes: 2 ** 40 }, never)).toMatchObject({
      failed: { count: 1, removed: 1 },
    });
    expect(await kept()).toEqual([2]);
    expect(await there()).toEqual(['build-2']);
  });

  it('go when they take too much, the least recently used first', async () => {
    const { cache, fail, kept, there } = await setUp();
    for (const taskId of [1, 2, 3]) await fail(taskId);
    const first = (await cache.failed.list()).find(({ taskId }) => taskId === 1);
    if (first !== undefined) await (await cache.failed.use(first, 'visitor'))[Symbol.asyncDispose]();

    await trimCache(cache, { ...unlimited, failedBytes: 6 * 2 ** 20 }, never);

    expect((await kept()).toSorted()).toEqual([1, 3]);
    expect((await there()).toSorted()).toEqual(['build-1', 'build-3']);
  });

  it('go by half when the disk is full', async () => {
    const { cache, fail, kept } = await setUp();
    for (const taskId of [1, 2]) await fail(taskId);

    expect((await halveCache(cache, never)).failed).toMatchObject({ removed: 1 });

    expect(await kept()).toHaveLength(1);
  });

  it('leave nothing behind where they cannot be kept', async () => {
    const { cache, containers, kept, there } = await setUp();
    const container = await containers.create(spec('build-1', 1), never);
    container.keepRoot = () => Promise.reject(new Error('no engine'));

    cache.failed.keep({
      taskId: 1,
      buildrootId: 9,
      failure: 'f',
      repeat: 'r',
      container,
      shell: () => spec('shell', 1),
    });
    await cache.failed.idle();

    expect(await kept()).toEqual([]);
    expect(await there()).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { ManualClock, settle } from '../../../test/support/manual-clock.ts';
import { emptyCache } from '../../../test/support/root-bench.ts';
import { keptLog } from '../../../test/support/silent-log.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { FakeRuntime } from '../../container/fake/fake-runtime.ts';
import { never } from '../../core/never.ts';
import { DiskPressure } from './disk-pressure.ts';

async function setUp(freeBytes: number) {
  const clock = new ManualClock();
  const cache = emptyCache(new FakeRuntime({ clock, images: {} }).ports, await temporaryDirectory(), clock);
  const seen = {
    freeBytes: new Map([['/disk', freeBytes]]),
    minSpaceBytes: 100,
    readOnly: [],
    loadAverage: 0,
    processors: 1,
    engineProblem: null,
  };
  let looks = 0;
  let packages: { path: string; sizeBytes: number; usedMs: number }[] = [];
  const listing = { path: '/p', sizeBytes: 10, usedMs: 1 };
  cache.packages.list = async () => {
    looks += 1;
    return packages;
  };
  const removed: string[] = [];
  cache.packages.remove = async ({ path }) => {
    removed.push(path);
    packages = [];
    return true;
  };
  const { log, lines } = keptLog();
  const maker = new DiskPressure({ look: async () => seen }, cache, clock, log);
  return {
    maker,
    clock,
    seen,
    removed,
    lines,
    fill: () => {
      packages = [listing];
    },
    looks: () => looks,
  };
}

describe('DiskPressure', () => {
  it('frees what may be freed when there is less room than minspace, and says so', async () => {
    const { maker, fill, removed, lines, seen } = await setUp(99);
    fill();

    expect(await maker.look(never)).toBe(seen);
    await expect.poll(() => removed).toEqual(['/p']);
    await expect
      .poll(() => lines.map(({ msg }) => msg))
      .toEqual(['free space below minspace: trimmed the caches']);
  });

  it('leaves everything where it is while there is room', async () => {
    const { maker, fill, looks } = await setUp(100);
    fill();

    await maker.look(never);
    await settle();

    expect(looks()).toBe(0);
  });

  it('does not look again for a while when there was nothing to be freed', async () => {
    const { maker, clock, looks, fill, removed } = await setUp(99);
    await maker.look(never);
    await expect.poll(looks).toBe(2);
    await settle();
    fill();

    await maker.look(never);
    await settle();
    expect(looks()).toBe(2);

    await clock.advance(5 * 60_000);
    await maker.look(never);
    await expect.poll(() => removed).toEqual(['/p']);
  });
});

import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { tagRow } from '../../../test/support/hub-rows.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { waitRepo } from './index.ts';

/** What `getRepo` of Koji 1.34 tells. */
const oldRow = (more: Record<string, RpcValue> = {}) => ({
  id: 70,
  state: 1,
  task_id: 4,
  create_event: 500,
  create_ts: 1000.5,
  dist: false,
  creation_time: '2026-11-20 12:00:00.000000',
  ...more,
});
const lib = { name: 'lib', version: '2', release: '3' };

async function setUp() {
  const clock = new FakeClock();
  const bench = await openTaskBench({ method: 'waitrepo', clock });
  bench.session.hubVersion = '1.34.3';
  bench.session
    .on('getBuildConfig', tagRow())
    .on('getBuildTargets', [{ id: 1 }])
    .on('getRepo', oldRow());
  return { ...bench, clock, run: (...request: RpcValue[]) => bench.run(waitRepo, ...request) };
}

describe('waitrepo on a hub without requests for repos', () => {
  it('gives the repo that is there, as the hub has it', async () => {
    const { session, run } = await setUp();

    expect(await run('f1-build')).toMatchObject({ ...oldRow() });

    expect(session.methods).toEqual(['getBuildConfig', 'getBuildTargets', 'getRepo']);
    expect(session.of('getBuildTargets')[0]?.keywords).toEqual({ buildTagID: 11 });
  });

  it('looks until there is one', async () => {
    const { session, run, clock } = await setUp();
    session.on('getRepo', null, null, oldRow({ id: 71 }));

    expect(await run('f1-build')).toMatchObject({ id: 71 });

    expect(clock.slept).toEqual([2000, 3000]);
  });

  it('looks until one is newer than a time', async () => {
    const { session, run } = await setUp();
    session.on('getRepo', oldRow(), oldRow({ id: 71, create_ts: 1001.5 }));

    expect(await run('f1-build', 1000.5)).toMatchObject({ id: 71 });
  });

  it('looks until one is newer than its own start for "now"', async () => {
    const { session, run, clock } = await setUp();
    const started = clock.now() / 1000;
    session.on('getRepo', oldRow({ create_ts: started }), oldRow({ id: 71, create_ts: started + 0.5 }));

    expect(await run('f1-build', 'Now')).toMatchObject({ id: 71 });
  });

  it('looks until one holds the builds', async () => {
    const { session, run } = await setUp();
    session.on('getRepo', oldRow(), oldRow({ id: 71, create_event: 510 })).on('listTagged', [], [lib]);

    expect(await run('f1-build', null, ['lib-2-3'])).toMatchObject({ id: 71 });

    expect(session.of('listTagged').map(({ keywords }) => keywords['event'])).toEqual([500, 510]);
  });

  it.each<[RpcValue[], string]>([
    [['f1-build', 'later'], 'Invalid value for newer_than: later'],
    [['f1-build', 1000.5, ['lib-2-3']], 'only one of (newer_than, nvrs) may be specified'],
    [['f1-build', null, null, 5], 'min_event needs a hub of version 1.35 or newer'],
  ])('refuses %j', async (request, message) => {
    const { run } = await setUp();

    await expect(run(...request)).rejects.toMatchObject({ faultCode: 1000, message });
  });

  it('fails at once for a tag that nobody makes repos of', async () => {
    const { session, run } = await setUp();
    session.on('getBuildTargets', []);

    await expect(run('f1-build')).rejects.toMatchObject({ message: 'No build target for tag: f1-build' });
  });

  it.each<[RpcValue[], string]>([
    [['f1-build'], 'Unsuccessfully waited 120:29 for a new f1-build repo'],
    [
      ['f1-build', null, ['lib-2-3']],
      'Unsuccessfully waited 120:29 for lib-2-3 to appear in the f1-build repo',
    ],
  ])('gives up after two hours: %j', async (request, message) => {
    const { session, run } = await setUp();
    session.on('getRepo', null);

    await expect(run(...request)).rejects.toMatchObject({ faultCode: 1000, message });
  });
});

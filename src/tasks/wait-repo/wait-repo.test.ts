import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { repoRow, tagRow } from '../../../test/support/hub-rows.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { waitRepo } from './index.ts';

const ready = (more: Record<string, RpcValue> = {}): RpcValue => ({ repo: repoRow(more), request: null });
const pending = (more: Record<string, RpcValue> = {}): RpcValue => ({
  repo: null,
  request: { id: 3, active: true, min_event: 450, ...more },
});
const lib = { name: 'lib', version: '2', release: '3' };

async function setUp() {
  const clock = new FakeClock();
  const bench = await openTaskBench({ method: 'waitrepo', clock });
  bench.session.on('getBuildConfig', tagRow()).on('tagLastChangeEvent', 480).on('repo.request', ready());
  return { ...bench, clock, run: (...request: RpcValue[]) => bench.run(waitRepo, ...request) };
}

describe('waitrepo', () => {
  it('gives the repo that is there, as the hub has it', async () => {
    const { session, run, clock } = await setUp();

    expect(await run('f1-build')).toEqual(repoRow());

    expect(session.methods).toEqual(['getBuildConfig', 'repo.request']);
    expect(session.of('repo.request')[0]).toMatchObject({
      params: [11],
      keywords: { min_event: null, at_event: null, opts: null },
    });
    expect(clock.slept).toEqual([]);
  });

  it('asks after its request until the repo is there', async () => {
    const { session, run } = await setUp();
    session.on('repo.request', pending()).on('repo.checkRequest', pending(), pending(), ready({ id: 71 }));

    expect(await run('f1-build')).toMatchObject({ id: 71 });

    expect(session.of('repo.request')).toHaveLength(1);
    expect(session.of('repo.checkRequest').map(({ params }) => params)).toEqual([[3], [3], [3]]);
  });

  it("looks often at first and then at kojid's pace", async () => {
    const { session, run, clock } = await setUp();
    session.on('repo.request', pending());
    session.on('repo.checkRequest', ...Array.from({ length: 15 }, () => pending()), ready());

    await run('f1-build');

    expect(clock.slept.slice(0, 3)).toEqual([2000, 3000, 4500]);
    expect(clock.slept.slice(-3)).toEqual([60_000, 60_000, 60_000]);
  });

  it('notices at once a repo that this host has made', async () => {
    const clock = new ManualClock();
    const { session, run, context } = await openTaskBench({ method: 'waitrepo', clock });
    session.on('getBuildConfig', tagRow()).on('repo.request', pending());
    session.on('repo.checkRequest', ready({ id: 71 }));
    const waiting = run(waitRepo, 'f1-build');
    await clock.asleep(2000);

    context.repoNews.made();

    expect(await waiting).toMatchObject({ id: 71 });
    expect(session.of('repo.checkRequest')).toHaveLength(1);
  });

  it('notices a repo that this host makes while the hub is asked', async () => {
    const clock = new ManualClock();
    const bench = await openTaskBench({ method: 'waitrepo', clock });
    bench.session.on('getBuildConfig', tagRow()).on('repo.request', () => {
      bench.context.repoNews.made();
      return pending();
    });
    bench.session.on('repo.checkRequest', ready({ id: 71 }));

    expect(await bench.run(waitRepo, 'f1-build')).toMatchObject({ id: 71 });
  });

  it.each([
    [500, true],
    [501, false],
  ])('with min_event %i and a repo of event 500: is content %s', async (minEvent, content) => {
    const { session, run } = await setUp();
    session.on('repo.request', ready(), ready({ id: 72, create_event: 502 }));

    expect(await run('f1-build', null, null, minEvent)).toMatchObject({ id: content ? 70 : 72 });

    expect(session.of('repo.request')[0]?.keywords).toMatchObject({ min_event: minEvent });
  });

  it('takes the last change of the tag for min_event last', async () => {
    const { session, run } = await setUp();

    await run('f1-build', null, null, 'last');

    expect(session.of('tagLastChangeEvent')[0]?.params).toEqual([11]);
    expect(session.of('repo.request')[0]?.keywords).toMatchObject({ min_event: 480 });
  });

  it('does not take the repo of another tag', async () => {
    const { session, run } = await setUp();
    session.on('repo.request', ready({ tag_id: 99 }), ready({ id: 73 }));

    expect(await run('f1-build')).toMatchObject({ id: 73 });
  });

  it.each<[RpcValue, string, RpcValue[], number | null]>([
    ['now', 'tagLastChangeEvent', [11], 480],
    ['NOW', 'tagLastChangeEvent', [11], 480],
    [1_700_000_000, 'tagFirstChangeEvent', [11], 470],
    [1_700_000_000.5, 'tagFirstChangeEvent', [11], 470],
  ])('understands newer_than %j', async (newerThan, method, params, minEvent) => {
    const { session, run } = await setUp();
    session.on('getLastEvent', { id: 460, ts: 1.5 }).on('tagFirstChangeEvent', 470);

    await run('f1-build', newerThan);

    expect(session.of(method)[0]?.params).toEqual(params);
    expect(session.of('repo.request')[0]?.keywords).toMatchObject({ min_event: minEvent });
  });

  it('takes the first change after the time it was given', async () => {
    const { session, run } = await setUp();
    session.on('getLastEvent', { id: 460, ts: 1.5 }).on('tagFirstChangeEvent', 470);

    await run('f1-build', 1_700_000_000);

    expect(session.of('getLastEvent')[0]?.keywords).toEqual({ before: 1_700_000_000, strict: false });
    expect(session.of('tagFirstChangeEvent')[0]?.keywords).toEqual({ after: 460 });
  });

  it('takes the last change of a tag that has not changed since', async () => {
    const { session, run } = await setUp();
    session.on('getLastEvent', null).on('tagFirstChangeEvent', null);

    await run('f1-build', 1_700_000_000);

    expect(session.of('tagFirstChangeEvent')[0]?.keywords).toEqual({ after: null });
    expect(session.of('repo.request')[0]?.keywords).toMatchObject({ min_event: 480 });
  });

  it.each<[RpcValue[], string]>([
    [['f1-build', 'tomorrow'], 'Invalid value for newer_than: tomorrow'],
    [['f1-build', 'now', null, 5], 'newer_than and min_event args confict'],
    [['f1-build', null, ['nonsense']], 'invalid format: nonsense'],
  ])('refuses %j', async (request, message) => {
    const { session, run } = await setUp();

    await expect(run(...request)).rejects.toMatchObject({ faultCode: 1000, message });
    expect(session.of('repo.request')).toEqual([]);
  });

  it('waits for the builds to be tagged before it asks for a repo', async () => {
    const { session, run, clock } = await setUp();
    session.on('listTagged', [], [{ ...lib, release: '2' }], [lib]);

    expect(await run('f1-build', null, ['lib-2-3'])).toMatchObject({ id: 70 });

    expect(session.methods).toEqual([
      ...['getBuildConfig', 'listTagged', 'listTagged', 'listTagged', 'tagLastChangeEvent'],
      ...['repo.request', 'listTagged'],
    ]);
    expect(session.of('listTagged').map(({ keywords }) => keywords['event'])).toEqual([
      null,
      null,
      null,
      500,
    ]);
    expect(session.of('repo.request')[0]?.keywords).toMatchObject({ min_event: 480 });
    expect(clock.slept).toEqual([2000, 3000]);
  });

  it('asks for another repo when the one it gets does not hold the builds', async () => {
    const { session, run } = await setUp();
    session.on('listTagged', [lib], [], [lib], [lib]);
    session.on('repo.request', ready(), ready({ id: 74 }));

    expect(await run('f1-build', null, ['lib-2-3'])).toMatchObject({ id: 74 });
  });

  it('fails when its request is given up', async () => {
    const { session, run } = await setUp();
    session.on('repo.request', pending()).on('repo.checkRequest', pending({ active: false }));

    await expect(run('f1-build')).rejects.toMatchObject({
      faultCode: 1000,
      message: 'Repo request no longer active',
    });
  });

  it('fails after two hours without a repo', async () => {
    const { session, run, clock } = await setUp();
    session.on('repo.request', pending()).on('repo.checkRequest', pending());
    const begun = clock.now();

    await expect(run('f1-build')).rejects.toMatchObject({
      faultCode: 1000,
      message: expect.stringMatching(/^Unsuccessfully waited 12\d:\d\d for a new f1-build repo$/),
    });
    expect(clock.now() - begun).toBeGreaterThan(120 * 60_000);
    expect(clock.now() - begun).toBeLessThan(122 * 60_000);
  });

  it('fails after two hours without its builds', async () => {
    const { session, run } = await setUp();
    session.on('listTagged', []);

    await expect(run('f1-build', null, ['lib-2-3', 'app-1-1'])).rejects.toThrow(
      /waited 12\d:\d\d for lib-2-3, app-1-1 to appear in the f1-build repo/,
    );
  });

  it('gives up when it is stopped', async () => {
    const { session, run, abort } = await setUp();
    session.on('repo.request', pending()).on('repo.checkRequest', () => {
      abort.abort(new Error('cancelled'));
      return pending();
    });

    await expect(run('f1-build')).rejects.toThrow('cancelled');
  });
});

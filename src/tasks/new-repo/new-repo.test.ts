import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repoRow, tagRow } from '../../../test/support/hub-rows.ts';
import { failureOf } from '../../../test/support/root-bench.ts';
import { hubFault } from '../../../test/support/scripted-session.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { TaskRefused } from '../errors.ts';
import { newRepo } from './index.ts';

const made = (arch: string): RpcValue => [`tasks/1/${arch}`, ['repomd.xml', `${arch}.xml.gz`]];

async function setUp(kojid: readonly string[] = [], env: Record<string, string> = {}) {
  const bench = await openTaskBench({ method: 'newRepo', kojid, env });
  bench.session
    .on('getTag', tagRow())
    .on('host.repoInit', [75, 600])
    .on('getRepo', null)
    .on('getFullInheritance', [])
    .on('host.repoDone', null);
  bench.children({ x86_64: made('x86_64'), i386: made('i386') });
  for (const arch of ['x86_64', 'i386', 'groups']) await bench.put(`repos/f1-build/75/${arch}/pkglist`, '');
  await bench.put('repos/f1-build/75/groups/comps.xml', '');
  await bench.put('repos/f1-build/75/repo.json', '{}');
  const children = () => bench.session.of('host.subtask').map(({ keywords }) => keywords);
  return { ...bench, children, run: (...request: RpcValue[]) => bench.run(newRepo, ...request) };
}

describe('newRepo', () => {
  it('has the metadata of each arch made and hands it to the hub', async () => {
    const { session, run, children } = await setUp();

    expect(await run('f1-build')).toEqual([75, 600]);

    expect(session.of('getTag')[0]).toMatchObject({ params: ['f1-build'], keywords: { strict: true } });
    expect(session.of('host.repoInit')[0]).toMatchObject({
      params: [11],
      keywords: { opts: null, task_id: 5 },
    });
    expect(session.of('host.repoInit')[0]?.keywords).not.toHaveProperty('event');
    expect(children()).toEqual(
      ['i386', 'x86_64'].map((arch) => ({
        method: 'createrepo',
        arglist: [75, arch, null],
        label: arch,
        arch: 'noarch',
        parent: 5,
      })),
    );
    expect(session.of('host.repoDone')[0]).toMatchObject({
      params: [75, { x86_64: made('x86_64'), i386: made('i386') }],
    });
  });

  it('tells those who wait for a repo here, once the hub has it', async () => {
    const { session, run, context } = await setUp();
    const before: number[] = [];
    session.on('host.repoDone', () => {
      before.push(context.repoNews.count);
      return null;
    });

    await run('f1-build');

    expect(before).toEqual([0]);
    expect(context.repoNews.count).toBe(1);
  });

  it('is of the event it was asked for', async () => {
    const { session, run } = await setUp();

    await run('f1-build', 555);

    expect(session.of('getTag')[0]?.keywords).toMatchObject({ event: 555 });
    expect(session.of('host.repoInit')[0]?.keywords).toMatchObject({ event: 555 });
  });

  it.each<[string, RpcValue]>([
    ['a name', 'f1-build'],
    ['an id', 11],
    ['a struct', { id: 11, name: 'f1-build' }],
  ])('takes %s for a tag', async (_what, tag) => {
    const { session, run } = await setUp();

    await run(tag);

    expect(session.of('getTag')[0]?.params).toEqual([typeof tag === 'string' ? tag : 11]);
  });

  it.each<[RpcValue[], RpcValue]>([
    [[null, null, null, null, { debuginfo: true }], { debuginfo: true }],
    [[null, true, false, null], { src: true, debuginfo: false }],
    [[null, 1, null, 0], { src: true, separate_src: false }],
  ])('passes the options %j on', async (request, opts) => {
    const { session, run } = await setUp();

    await run('f1-build', ...request);

    expect(session.of('host.repoInit')[0]?.keywords['opts']).toEqual(opts);
  });

  it.each<[RpcValue[], Record<string, RpcValue>, Record<string, RpcValue>]>([
    [[], {}, {}],
    [[null, true, false, true], {}, { with_src: true, with_separate_src: true }],
    [[], { with_debuginfo: true }, { with_debuginfo: true }],
  ])('gives hubs before 1.35 options of their own: %j of a tag with %j', async (params, extra, expected) => {
    const { session, run } = await setUp();
    session.hubVersion = null;
    session.on('getKojiVersion', '1.34.3').on('getTag', tagRow({ extra }));

    expect(await run('f1-build', ...params)).toEqual([75, 600]);

    expect(session.of('host.repoInit')[0]?.keywords).toEqual({ ...expected, task_id: 5 });
  });

  it('refuses old and new options together', async () => {
    const { session, run } = await setUp();

    await expect(run('f1-build', null, true, null, null, {})).rejects.toMatchObject({ faultCode: 1019 });
    expect(session.of('host.repoInit')).toEqual([]);
  });

  it("leaves the task to others without the hub's tree, before it makes a repo", async () => {
    const { session, run, topDir } = await setUp();
    await rm(join(topDir, 'repos'), { recursive: true });

    const error = await failureOf(run('f1-build'));

    expect(error).toBeInstanceOf(TaskRefused);
    expect(error).toMatchObject({ disposition: 'refuse-soft' });
    expect(session.of('host.repoInit')).toEqual([]);
  });

  it('fails when the hub has made no directory', async () => {
    const { run, topDir } = await setUp();
    await rm(join(topDir, 'repos/f1-build'), { recursive: true });

    await expect(run('f1-build')).rejects.toMatchObject({
      faultCode: 1000,
      message: `Repo directory missing: ${join(topDir, 'repos/f1-build/75')}`,
    });
  });

  it('is empty when the tag has no arches', async () => {
    const { session, run, topDir, children } = await setUp();
    for (const arch of ['x86_64', 'i386'])
      await rm(join(topDir, 'repos/f1-build/75', arch), { recursive: true });

    expect(await run('f1-build')).toEqual([75, 600]);

    expect(children()).toEqual([]);
    expect(session.of('host.repoDone')[0]?.params).toEqual([75, {}]);
  });

  it('fails with the fault of a child and leaves the repo unfinished', async () => {
    const { session, run } = await setUp();
    session
      .on('host.taskWait', [[101], [102]])
      .on('getTaskResult', hubFault(1000, 'failed to create repo'))
      .on('cancelTaskChildren', null);

    await expect(run('f1-build')).rejects.toMatchObject({ faultString: 'failed to create repo' });

    expect(session.of('cancelTaskChildren')).toHaveLength(1);
    expect(session.of('host.repoDone')).toEqual([]);
  });

  it('names a child whose result makes no sense', async () => {
    const { run, session } = await setUp();
    session.on('host.taskWaitResults', [[101, ['path']]]);

    await expect(run('f1-build')).rejects.toMatchObject({
      faultCode: 1000,
      message: expect.stringContaining('task 101 has ended with another result'),
    });
  });
});

describe('the old repo of a newRepo task', () => {
  const old = (id: number): RpcValue => repoRow({ id });

  it("is the tag's own", async () => {
    const { session, run, children } = await setUp();
    session.on('getRepo', old(60));

    await run('f1-build');

    expect(session.of('getRepo')[0]?.params).toEqual([11]);
    expect(children()[0]?.['arglist']).toEqual([75, 'i386', { ...repoRow({ id: 60 }), tag_id: 11 }]);
  });

  it.each<[RpcValue, RpcValue[]]>([
    ['f0-build', ['f0-build']],
    [
      ['gone', 'f0-build'],
      ['gone', 'f0-build'],
    ],
    [[{ name: 'f0-build' }, 'f0-build'], ['f0-build']],
  ])('is that of a tag the tag hints at: %j', async (hint, asked) => {
    const { session, run, children, lines } = await setUp();
    const hinting = tagRow({ extra: { 'repo.oldrepo_hint': hint } });
    session.on('getTag', ({ params: [name] }) => {
      if (name === 'f1-build') return hinting;
      return name === 'gone' ? null : tagRow({ id: 8, name: 'f0-build' });
    });
    session.on('getRepo', null, old(61));

    await run('f1-build');

    expect(
      session
        .of('getTag')
        .slice(1)
        .map(({ params: [name] }) => name),
    ).toEqual(asked);
    expect(children()[0]?.['arglist']).toMatchObject([75, 'i386', { id: 61, tag_id: 8 }]);
    expect(lines.filter(({ msg }) => msg === 'repo.oldrepo_hint names no tag')).toHaveLength(
      Array.isArray(hint) ? 1 : 0,
    );
  });

  it('is that of the nearest parent that has one', async () => {
    const { session, run, children } = await setUp();
    session.on('getFullInheritance', [
      { parent_id: 3, name: 'far', currdepth: 2 },
      { parent_id: 2, name: 'near', currdepth: 1 },
    ]);
    session.on('getRepo', ({ params: [tag] }) => (tag === 3 ? old(62) : null));

    await run('f1-build');

    expect(session.of('getRepo').map(({ params: [tag] }) => tag)).toEqual([11, 2, 3]);
    expect(children()[0]?.['arglist']).toMatchObject([75, 'i386', { id: 62, tag_id: 3 }]);
  });

  it('is not looked for where metadata is made anew', async () => {
    const { session, run, children } = await setUp(['createrepo_update = no']);

    await run('f1-build');

    expect(session.of('getRepo')).toEqual([]);
    expect(children()[0]?.['arglist']).toEqual([75, 'i386', null]);
  });
});

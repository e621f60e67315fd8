import { describe, expect, it } from 'vitest';
import { openBuildBench, src } from '../../../test/support/build-bench.ts';
import { repoRow, tagRow } from '../../../test/support/hub-rows.ts';
import { TagsApi } from '../../hub/api/tags.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { build } from './index.ts';

describe('the request of a build', () => {
  it.each<[string, RpcValue, RpcValue, number, string]>([
    [
      'arches without scratch',
      'f1',
      { arch_override: 'x86_64' },
      1005,
      'arch_override is only allowed for scratch',
    ],
    ['metadata that is a list', 'f1', { custom_user_metadata: [1] }, 1005, 'custom_user_metadata must be'],
    ['a repo that is not there', 'f1', { repo_id: 1 }, 1005, 'No such repo: 1'],
    ['no target', null, {}, 1000, 'unknown build target: None'],
    ['an empty target', '', {}, 1000, 'unknown build target: '],
  ])('may not have %s', async (_what, target, opts, faultCode, message) => {
    const { session, run } = await openBuildBench();
    session.on('repoInfo', null);

    await expect(run(target, opts)).rejects.toMatchObject({
      faultCode,
      message: expect.stringContaining(message),
    });

    expect(session.of('host.subtask')).toEqual([]);
  });

  it('may not name a target that is not there', async () => {
    const { session, run } = await openBuildBench();
    session.on('getBuildTarget', null);

    await expect(run('f9')).rejects.toMatchObject({ faultCode: 1000, message: 'unknown build target: f9' });
  });

  it('may name a repo, which policy has to allow and whose event counts', async () => {
    const { session, run } = await openBuildBench();
    session.on('repoInfo', repoRow({ state: 2 }));

    await run('f1', { repo_id: 70 });

    expect(session.of('host.assertPolicy').map(({ params: [name] }) => name)).toEqual([
      ...['build_from_srpm', 'build_from_repo_id', 'build_rpm'],
    ]);
    expect(session.of('getBuildTarget')[0]?.keywords).toEqual({ event: 500 });
    expect(session.of('getBuildConfig')[0]).toMatchObject({ params: [11], keywords: { event: 500 } });
    expect(session.of('repo.request')).toEqual([]);
    expect(session.of('getLastEvent')).toEqual([]);
  });

  it.each([
    [repoRow({ state: 0 }), 'Bad repo: 70 (INIT)'],
    [repoRow({ tag_id: 12, tag_name: 'f2-build' }), 'Repo/Target mismatch: f2-build/f1-build'],
  ])('may not name a repo that does not fit', async (row, message) => {
    const { session, run } = await openBuildBench();
    session.on('repoInfo', row);

    await expect(run('f1', { repo_id: 70 })).rejects.toMatchObject({ faultCode: 1005, message });
  });

  it('may name a mere tag with a repo', async () => {
    const { session, run, children } = await openBuildBench();
    session.on('getBuildTarget', null).on('getTag', tagRow({ id: 77, name: 'elsewhere' }));

    await run('elsewhere', { repo_id: 70 });

    expect(children().at(-1)).toMatchObject({ method: 'tagBuild', arglist: [77, 90, false, null, true] });
    expect(session.of('host.assertPolicy')[0]?.params[1]).toMatchObject({ build_tag: 11, tag: 77 });
    expect(session.of('host.assertPolicy')[0]?.params[1]).not.toHaveProperty('target');
  });

  it('may not name a tag that is not there', async () => {
    const { session, run } = await openBuildBench();
    session.on('getBuildTarget', null).on('getTag', null);

    await expect(run('nowhere', { repo_id: 70 })).rejects.toMatchObject({
      faultCode: 1000,
      message: 'neither tag nor target: nowhere',
    });
  });

  it('may name only a repo: then it is not tagged', async () => {
    const { session, run, children } = await openBuildBench();

    await run(null, { repo_id: 70 });

    expect(session.of('getBuildTarget')).toEqual([]);
    expect(session.of('host.assertPolicy')[0]?.params[1]).toMatchObject({ skip_tag: true });
    expect(children().map(({ method }) => method)).not.toContain('tagBuild');
  });
});

describe('the repo of a build', () => {
  it('is waited for in a child when it is not there yet', async () => {
    const { session, run, children } = await openBuildBench();
    session.on('repo.request', { repo: null, request: { id: 3, min_event: 555 } });

    await run('f1');

    expect(children()[0]).toEqual({
      method: 'waitrepo',
      label: null,
      arch: null,
      arglist: ['f1-build', null, [], 555],
    });
    expect(children()[1]).toMatchObject({ arglist: [src, 11, { repo_id: 71 }] });
  });

  it('is as new as the tag when that was asked for', async () => {
    const { session, run, children } = await openBuildBench();
    session.on('tagLastChangeEvent', 501);

    await run('f1', { wait_repo: true });

    expect(session.of('repo.request')[0]).toMatchObject({ params: [11], keywords: { min_event: 501 } });
    expect(children()[0]).toMatchObject({ arglist: ['f1-build', null, [], 501] });
  });

  it('has the builds that were asked for', async () => {
    const { session, run, children } = await openBuildBench();
    const tagged = [{ name: 'lib', version: '2', release: '3' }];
    session.on('listTagged', tagged, []);

    await run('f1', { wait_builds: ['lib-2-3'] });

    expect(session.of('listTagged').map(({ params, keywords }) => [params, keywords])).toEqual([
      [[11], { event: null, package: 'lib', inherit: true }],
      [[11], { event: 500, package: 'lib', inherit: true }],
    ]);
    expect(children()[0]).toMatchObject({
      method: 'waitrepo',
      arglist: ['f1-build', null, ['lib-2-3'], null],
    });
  });

  it('is not asked for while a build is not tagged', async () => {
    const { session, run, children } = await openBuildBench();
    session.on('listTagged', []);

    await run('f1', { wait_builds: ['lib-2-3'] });

    expect(session.of('repo.request')).toEqual([]);
    expect(children()[0]).toMatchObject({ method: 'waitrepo' });
  });
});

describe('the repo of a build on a hub without requests for repos', () => {
  const oldRow = { id: 70, state: 1, task_id: 4, create_event: 500, create_ts: 1000.5, dist: false };
  const setUp = async () => {
    const bench = await openBuildBench();
    bench.session.hubVersion = '1.34.3';
    bench.session.on('getRepo', oldRow).on('repoInfo', ({ params: [id] }) => repoRow({ id: id ?? null }));
    bench.session.on('getBuildTargets', [{ id: 1 }]);
    return bench;
  };

  it('is the one that is there', async () => {
    const { session, run, children } = await setUp();

    await run('f1');

    expect(session.of('repo.request')).toEqual([]);
    expect(children()[0]).toMatchObject({ method: 'rebuildSRPM', arglist: [src, 11, { repo_id: 70 }] });
  });

  it('is looked for in a child when there is none, or none with the builds', async () => {
    for (const [answer, builds] of [[null, null] as const, [oldRow, ['lib-2-3']] as const]) {
      const { session, run, children } = await setUp();
      session.on('getRepo', answer).on('listTagged', []);

      await run('f1', builds === null ? {} : { wait_builds: builds });

      expect(children()[0]).toMatchObject({ method: 'waitrepo', arglist: [11, null, builds] });
      expect(children()[1]).toMatchObject({ arglist: [src, 11, { repo_id: 71 }] });
    }
  });

  it('is newer than the build when that was asked for', async () => {
    const { session, run, children } = await setUp();

    await run('f1', { wait_repo: true });

    expect(session.of('getRepo')).toEqual([]);
    expect(children()[0]?.arglist).toEqual([11, 1_767_225_600, null]);
  });

  it('cannot be waited for where nobody makes it', async () => {
    const { session, run } = await setUp();
    session.on('getRepo', null).on('getBuildTargets', []);

    await expect(run('f1')).rejects.toMatchObject({
      faultCode: 1005,
      message: 'no repo (and no target) for tag f1-build',
    });
  });
});

describe('a host', () => {
  const check = async (source: string) => {
    const { session, context } = await openBuildBench();
    const params = { src: source, target: 'f1', opts: null };
    return build.checkHost?.(params, { arches: ['x86_64'] }, new TagsApi(session), context.signal);
  };

  it.each([src, 'https://example.com/a.src.rpm', 'GIT://x'])('builds from %s', async (source) => {
    expect(await check(source)).toBeNull();
  });

  it.each([
    ...['git://x', 'git+https://x', 'git+ssh://x', 'git+rsync://x', 'git+http://x', 'cvs://x', 'cvs+ssh://x'],
    ...['svn://x', 'svn+http://x', 'svn+https://x', 'svn+ssh://x'],
  ])('leaves %s to others', async (source) => {
    expect(await check(source)).toContain('source control');
  });
});

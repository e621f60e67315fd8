import { describe, expect, it } from 'vitest';
import { built, keptSrpm, openBuildBench, rebuilt, src } from '../../../test/support/build-bench.ts';
import { packageRow, tagRow } from '../../../test/support/hub-rows.ts';
import { failureOf } from '../../../test/support/root-bench.ts';
import { hubFault } from '../../../test/support/scripted-session.ts';
import { toSourceRpm } from '../../../test/support/source-rpm.ts';
import { outcomeOf } from '../../daemon/run/outcome.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';

describe('a build', () => {
  it('makes the source package, the packages, the build and the tagging, in this order', async () => {
    const { session, run, children } = await openBuildBench();

    expect(await run('f1')).toBeNull();

    expect(session.methods).toEqual([
      'getBuildTarget',
      'getTaskInfo',
      'host.assertPolicy',
      'host.assertPolicy',
      'repo.request',
      'getLastEvent',
      'getBuildConfig',
      ...['host.subtask', 'host.taskSetWait', 'host.taskWait', 'host.taskWaitResults'],
      'getPackageConfig',
      'host.initBuild',
      ...['host.subtask', 'host.taskSetWait', 'host.taskWait', 'host.taskWaitResults'],
      'host.completeBuild',
      ...['host.subtask', 'host.taskSetWait', 'host.taskWait', 'host.taskWaitResults'],
    ]);
    expect(children()).toEqual([
      {
        method: 'rebuildSRPM',
        label: 'srpm',
        arch: 'noarch',
        arglist: [src, 11, { repo_id: 70, scratch: null }],
      },
      {
        method: 'buildArch',
        label: 'x86_64',
        arch: 'x86_64',
        arglist: [rebuilt, 11, 'x86_64', true, { repo_id: 70 }],
      },
      { method: 'tagBuild', label: 'tag', arch: 'noarch', arglist: [10, 90, false, null, true] },
    ]);
    expect(session.of('host.initBuild')[0]?.params[0]).toMatchObject({
      name: 'hello',
      version: '1.0',
      release: '1',
      epoch: null,
      task_id: 5,
      source: 'hello-1.0-1.src.rpm',
      extra: { source: { original_url: 'hello-1.0-1.src.rpm' } },
    });
    expect(session.of('host.completeBuild')[0]).toMatchObject({
      params: [
        5,
        90,
        keptSrpm,
        ['tasks/102/102/hello-1.0-1.x86_64.rpm'],
        { 'tasks/102/102/hello-1.0-1.x86_64.rpm': 9, [keptSrpm]: 9 },
      ],
      keywords: { logs: { x86_64: ['tasks/102/102/build.log'] } },
    });
  });

  it('keeps the source package of its first arch only', async () => {
    const { session, run, children } = await openBuildBench();
    session.on('getBuildConfig', tagRow({ arches: 'x86_64 i386' }));

    await run('f1');

    expect(children().filter(({ method }) => method === 'buildArch')).toMatchObject([
      { label: 'x86_64', arglist: [rebuilt, 11, 'x86_64', true, { repo_id: 70 }] },
      { label: 'i386', arglist: [rebuilt, 11, 'i386', false, { repo_id: 70 }] },
    ]);
  });

  it('asks for policies with the facts kojid gives', async () => {
    const { session, run } = await openBuildBench();

    await run('f1', { draft: true, custom_user_metadata: { a: 1 } });

    const facts = {
      user_id: 21,
      source: src,
      task_id: 5,
      build_tag: 11,
      skip_tag: false,
      scratch: null,
      draft: true,
      from_scm: false,
      repo_id: null,
      target: 'f1',
      tag: 10,
    };
    expect(session.of('host.assertPolicy').map(({ params }) => params)).toEqual([
      ['build_from_srpm', facts],
      ['build_rpm', facts],
    ]);
    expect(session.of('host.initBuild')[0]?.params[0]).toMatchObject({
      draft: true,
      extra: { custom_user_metadata: { a: 1 } },
    });
  });

  it('ends when a policy denies, before anything is made', async () => {
    const { session, run } = await openBuildBench();
    session.on('host.assertPolicy', hubFault(1004, 'policy violation (build_from_srpm)'));

    await expect(run('f1')).rejects.toMatchObject({ faultCode: 1004 });

    expect(session.of('host.subtask')).toEqual([]);
  });

  it('is not tagged when it was asked not to be', async () => {
    const { session, run, children } = await openBuildBench();
    session.on('getPackageConfig', null);

    await run('f1', { skip_tag: true });

    expect(session.of('host.assertPolicy')[0]?.params[1]).toMatchObject({ skip_tag: true });
    expect(session.of('host.assertPolicy')[0]?.params[1]).not.toHaveProperty('tag');
    expect(session.of('host.completeBuild')).toHaveLength(1);
    expect(children().map(({ method }) => method)).not.toContain('tagBuild');
  });

  it.each([
    [null, 'package hello not in list for tag f1'],
    [packageRow({ blocked: true }), 'package hello is blocked for tag f1'],
  ])('wants its package in the list of the tag', async (row, message) => {
    const { session, run } = await openBuildBench();
    session.on('getPackageConfig', row);

    await expect(run('f1')).rejects.toMatchObject({ faultCode: 1005, message });

    expect(session.of('getPackageConfig')[0]).toMatchObject({
      params: [10, 'hello'],
      keywords: { event: 600 },
    });
    expect(session.of('host.initBuild')).toEqual([]);
  });

  it('takes the extra arches of its package', async () => {
    const { session, run, children } = await openBuildBench();
    session.on('getPackageConfig', packageRow({ extra_arches: 'i386' }));
    session.on('getBuildConfig', tagRow({ arches: 'x86_64' }));

    await run('f1');

    expect(children().filter(({ method }) => method === 'buildArch')).toHaveLength(1);
  });

  it('has a noarch package made once', async () => {
    const { run, children } = await openBuildBench([], { buildArchs: ['noarch'] });

    await run('f1');

    expect(children()[1]).toMatchObject({
      label: 'noarch',
      arch: 'noarch',
      arglist: [rebuilt, 11, 'noarch', true, {}],
    });
  });

  it('ends when no arch is left', async () => {
    const { session, run } = await openBuildBench([], { exclusiveArch: ['aarch64'] });

    await expect(run('f1')).rejects.toMatchObject({
      faultCode: 1005,
      message: 'No matching arches were found',
    });
    expect(session.of('host.initBuild')).toEqual([]);
  });

  it.each([
    ['a tag without arches', tagRow({ arches: '' }), 'No arches for tag f1-build [11]'],
    ['a tag whose arches are unset', tagRow({ arches: null }), 'No arches for tag f1-build [11]'],
  ])('ends for %s', async (_what, row, message) => {
    const { session, run } = await openBuildBench();
    session.on('getBuildConfig', row);

    await expect(run('f1')).rejects.toMatchObject({ faultCode: 1005, message });
  });

  it('ends when what was made is not a source package', async () => {
    const { put, run } = await openBuildBench();
    await put(`work/${rebuilt}`, toSourceRpm({ builtFrom: 'hello-1.0-1.src.rpm' }));

    await expect(run('f1')).rejects.toMatchObject({
      faultCode: 1005,
      message: `${rebuilt} is not a source package`,
    });
  });

  it('ends when what was made has a path for a version', async () => {
    const { put, run, session } = await openBuildBench();
    await put(`work/${rebuilt}`, toSourceRpm({ version: '../../x' }));

    const failure = await failureOf(run('f1'));

    expect(outcomeOf(failure)).toEqual({
      kind: 'fail',
      code: 1005,
      bug: false,
      message: 'bad main header: its version "../../x" has a slash',
    });
    expect(session.methods).not.toContain('host.initBuild');
  });
});

describe('a failed build', () => {
  it('is failed on the hub and keeps the fault of the child', async () => {
    const { session, run, children } = await openBuildBench();
    session.on('host.taskWait', [[], []]).on('getTaskResult', null);
    const results = ({ params: [, ids] }: { params: readonly RpcValue[] }) => {
      if (JSON.stringify(ids) === '[101]') return [[101, { srpm: rebuilt }]];
      throw hubFault(1005, 'error building package (arch x86_64), exited with status 1');
    };
    session.on('host.taskWaitResults', results);

    await expect(run('f1')).rejects.toMatchObject({ faultCode: 1005 });

    expect(session.of('host.failBuild')[0]?.params).toEqual([5, 90]);
    expect(session.of('host.completeBuild')).toEqual([]);
    expect(children().map(({ method }) => method)).not.toContain('tagBuild');
  });

  it('is failed when the hub does not take its files', async () => {
    const { session, run } = await openBuildBench();
    session.on('host.completeBuild', hubFault(1000, 'no such file'));

    await expect(run('f1')).rejects.toMatchObject({ faultCode: 1000 });

    expect(session.of('host.failBuild')).toHaveLength(1);
  });

  it('keeps its own fault when it cannot be failed on the hub either', async () => {
    const { session, run, lines } = await openBuildBench();
    session
      .on('host.completeBuild', hubFault(1005, 'mismatch'))
      .on('host.failBuild', hubFault(1000, 'not BUILDING'));

    await expect(run('f1')).rejects.toMatchObject({ faultString: 'mismatch' });

    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'cannot mark the build as failed on the hub' }),
    );
  });

  it('is left alone when the task was stopped', async () => {
    const { session, run, abort, lines } = await openBuildBench();
    session.on('host.completeBuild', () => {
      abort.abort(new Error('cancelled'));
      return null;
    });

    await expect(run('f1')).rejects.toThrow('cancelled');

    expect(session.of('host.failBuild')).toEqual([]);
    expect(lines.map(({ msg }) => msg)).toEqual(['build registered']);
  });

  it('is not failed when there is none yet', async () => {
    const { session, run } = await openBuildBench();
    session.on('host.initBuild', hubFault(1000, 'Build already exists'));

    await expect(run('f1')).rejects.toMatchObject({ faultString: 'Build already exists' });

    expect(session.of('host.failBuild')).toEqual([]);
  });

  it('lets its other children finish where build_arch_can_fail says so', async () => {
    for (const [kojid, opts, asked] of [
      [[], {}, 1],
      [['build_arch_can_fail = True'], {}, 0],
      [['build_arch_can_fail = True'], { fail_fast: true }, 1],
    ] as const) {
      const { session, run } = await openBuildBench(kojid);
      session.on('getBuildConfig', tagRow({ arches: 'x86_64 i386' }));
      session.on('host.taskWait', [[], []], [[102], [103]], [[103], []]).on('getTaskResult', null);

      await run('f1', opts);

      expect(session.of('getTaskResult')).toHaveLength(asked);
    }
  });
});

describe('a scratch build', () => {
  it('is moved to scratch, without a build, a package list or a tag', async () => {
    const { session, run, children } = await openBuildBench();
    session.on('getPackageConfig', packageRow({ blocked: true }));

    await run('f1', { scratch: true });

    expect(session.of('host.assertPolicy').map(({ params: [name] }) => name)).toEqual(['build_rpm']);
    expect(session.of('host.initBuild')).toEqual([]);
    expect(session.of('host.moveBuildToScratch')[0]).toMatchObject({
      params: [5, keptSrpm, ['tasks/102/102/hello-1.0-1.x86_64.rpm']],
      keywords: { logs: { x86_64: ['tasks/102/102/build.log'] } },
    });
    expect(children()[0]).toMatchObject({ arglist: [src, 11, { repo_id: 70, scratch: true }] });
    expect(children()).toHaveLength(2);
  });

  it('fails without failing a build', async () => {
    const { session, run } = await openBuildBench();
    session.on('host.moveBuildToScratch', hubFault(1000, 'no such file'));

    await expect(run('f1', { scratch: true })).rejects.toMatchObject({ faultCode: 1000 });

    expect(session.of('host.failBuild')).toEqual([]);
  });

  it.each([
    [true, 'done'],
    [false, 'unable to retry call'],
  ])('is looked for when the answer to the move was lost: %s', async (there, outcome) => {
    const { session, run, put } = await openBuildBench();
    session
      .on('host.moveBuildToScratch', hubFault(1009, 'unable to retry call'))
      .on('host.setTaskWeight', null)
      .on('getUser', { id: 21, name: 'dev' });
    const names = there ? ['hello-1.0-1.src.rpm', 'hello-1.0-1.x86_64.rpm'] : ['hello-1.0-1.src.rpm'];
    for (const name of names) await put(`scratch/dev/task_5/${name}`, '');

    const ended = await run('f1', { scratch: true }).then(
      () => 'done',
      (error: Error) => error.message,
    );

    expect(ended).toContain(outcome);
    expect(session.of('host.moveBuildToScratch')).toHaveLength(1);
  });

  it('is for the arches the user asks for', async () => {
    const { session, run, children } = await openBuildBench();
    session.on('getBuildConfig', tagRow({ arches: 'x86_64 i386' }));
    await openBuildBench();

    await run('f1', { scratch: true, arch_override: 'x86_64' });

    expect(children().filter(({ method }) => method === 'buildArch')).toHaveLength(1);
  });

  it.each([
    [{ scratch: true, rebuild_srpm: false }, {}, false],
    [{ scratch: true, rebuild_srpm: true }, { rebuild_srpm: false }, true],
    [{ rebuild_srpm: false }, {}, true],
    [{}, { rebuild_srpm: false }, false],
    [{}, { rebuild_srpm: null }, false],
    [{}, { rebuild_srpm: [] }, false],
    [{}, { rebuild_srpm: '0' }, true],
    [{}, {}, true],
  ])('with %j makes the source package again, in a tag with %j: %s', async (opts, extra, again) => {
    const { session, run, children } = await openBuildBench();
    session.on('getBuildConfig', tagRow({ extra }));
    if (!again)
      session.on('host.taskWaitResults', [
        [101, built('x86_64', { srpms: [keptSrpm] })],
        [102, null],
      ]);

    await run('f1', { skip_tag: true, ...opts });

    expect(children().map(({ method }) => method)).toEqual([...(again ? ['rebuildSRPM'] : []), 'buildArch']);
    if (!again) expect(children()[0]?.arglist).toEqual([src, 11, 'x86_64', true, { repo_id: 70 }]);
  });
});

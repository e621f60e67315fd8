import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { payloadhash, playRoot, type RootPlay } from '../../../test/support/fake-root.ts';
import { hostRow, repoRow, tagRow } from '../../../test/support/hub-rows.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { hubFault } from '../../../test/support/scripted-session.ts';
import { toSourceRpm } from '../../../test/support/source-rpm.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import { TagsApi } from '../../hub/api/tags.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { buildArch } from './index.ts';

const Listed = z.looseObject({ name: z.string() });
const pkg = 'tasks/4/4/hello-1.0-1.src.rpm';
const srpm = 'hello-1.0-1.src.rpm';
const good: RootPlay = {
  builds: [
    {
      output: 'compiling\n',
      rpms: { 'hello-1.0-1.x86_64.rpm': 'binary' },
      srpms: { [srpm]: toSourceRpm({ requires: ['bash'] }) },
    },
  ],
};

async function setUp(play: RootPlay = good, taskArch = 'x86_64', clock = new ManualClock()) {
  const bench = await openTaskBench({
    method: 'buildArch',
    arch: taskArch,
    clock,
    behave: (directory, packages) => playRoot(directory, play, packages),
  });
  const listed = { id: 31, name: 'bash', version: '1', release: '1', arch: 'x86_64', payloadhash };
  await bench.put('repos/f1-build/70/x86_64/rpmlist.jsonl', `${JSON.stringify(listed)}\n`);
  await bench.put(`work/${pkg}`, toSourceRpm());
  bench.session
    .on('getAverageBuildDuration', null)
    .on('host.setTaskWeight', null)
    .on('host.newBuildRoot', 9)
    .on('host.setBuildRootList', null)
    .on('host.updateBuildRootList', null)
    .on('host.setBuildRootState', null);
  const run = (arch: RpcValue = 'x86_64', keepSrpm: RpcValue = true, opts: RpcValue = { repo_id: 70 }) =>
    bench.run(buildArch, pkg, 11, arch, keepSrpm, opts);
  return { ...bench, clock, run };
}

describe('buildArch', () => {
  it('builds, and gives packages, logs and buildroot', async () => {
    const { session, run, tidyUp } = await setUp();

    const result = await run();
    await tidyUp();

    expect(result).toEqual({
      rpms: ['tasks/5/5/hello-1.0-1.x86_64.rpm'],
      srpms: [`tasks/5/5/${srpm}`],
      logs: [
        ...['mock_config.log', 'hw_info.log', 'root.log', 'build.log', 'state.log', 'mock_output.log'],
        'installed_pkgs.log',
      ].map((name) => `tasks/5/5/${name}`),
      brootid: 9,
    });
    expect(session.methods).toEqual([
      ...['repoInfo', 'getAverageBuildDuration', 'getBuildConfig', 'host.getHost', 'getExternalRepoList'],
      ...['host.newBuildRoot', 'host.setBuildRootList', 'host.setBuildRootState', 'host.updateBuildRootList'],
      'host.setBuildRootState',
    ]);
    expect(session.of('repoInfo')[0]).toMatchObject({ params: [70], keywords: { strict: true } });
    expect(session.of('getBuildConfig')[0]).toMatchObject({ params: [11], keywords: { event: 500 } });
    expect(session.of('getAverageBuildDuration')[0]).toMatchObject({
      params: ['hello'],
      keywords: { age: 6 },
    });
    expect(session.of('host.setBuildRootState').map(({ params }) => params[1])).toEqual([
      'BUILDING',
      'EXPIRED',
    ]);
    expect([...session.uploads.keys()].sort()).toEqual(
      [
        ...[
          'build.log',
          'hello-1.0-1.src.rpm',
          'hello-1.0-1.x86_64.rpm',
          'hw_info.log',
          'installed_pkgs.log',
        ],
        ...['mock_config.log', 'mock_output.log', 'root.log', 'state.log'],
      ].map((name) => `tasks/5/5/${name}`),
    );
    expect(session.uploads.get('tasks/5/5/build.log')?.toString()).toBe('compiling\n');
  });

  it('builds again when the package, made in its root, has other requirements', async () => {
    const remade = toSourceRpm({ requires: ['gcc'] });
    const { session, run, containers } = await setUp({
      solve: (attempt) => [[], ['bash'], [], ['gcc']][attempt] ?? [],
      sources: [{ srpms: { [srpm]: remade } }],
      builds: [
        { code: 97, output: 'looked for again\n' },
        { output: 'compiling\n', rpms: { 'hello-1.0-1.x86_64.rpm': 'binary' } },
      ],
    });

    const result = await run();

    expect(result).toMatchObject({
      rpms: ['tasks/5/5/hello-1.0-1.x86_64.rpm'],
      srpms: [`tasks/5/5/${srpm}`],
    });
    expect(session.uploads.get(`tasks/5/5/${srpm}`)).toEqual(remade);
    expect(session.uploads.get('tasks/5/5/build.log')?.toString()).toBe('looked for again\ncompiling\n');
    const listed = session
      .of('host.updateBuildRootList')
      .map(({ params }) => z.array(Listed).parse(params[1]));
    expect(listed.map((all) => all.map(({ name }) => name))).toEqual([['bash'], ['bash', 'gcc']]);
    expect(session.uploads.get('tasks/5/5/installed_pkgs.log')?.toString()).toMatch(/^bash.*\ngcc/);
    expect(containers.created.filter(({ owner }) => owner.phase === 'build')).toHaveLength(2);
  });

  it('neither checks nor sends a source package it does not keep', async () => {
    const unbranded = { [srpm]: toSourceRpm({ branded: false }) };
    const { session, run } = await setUp({ builds: [{ srpms: unbranded }] });

    expect(await run('x86_64', false)).toMatchObject({ srpms: [] });
    expect(session.uploads.has(`tasks/5/5/${srpm}`)).toBe(false);
  });

  it('wants vendor, packager and distribution in the source package it keeps', async () => {
    const unbranded = { [srpm]: toSourceRpm({ branded: false }) };
    const { run } = await setUp({ builds: [{ srpms: unbranded }] });

    await expect(run()).rejects.toMatchObject({
      faultCode: 1005,
      message: 'The build system failed to set the packager tag',
    });
  });

  it('sends the hashes of noarch packages as a log', async () => {
    const noarch = toSourceRpm({ builtFrom: srpm });
    const { session, run, containers } = await setUp(
      {
        builds: [
          {
            rpms: { 'hello-1.0-1.noarch.rpm': noarch, 'hello-x-1.0-1.x86_64.rpm': 'b' },
            srpms: { [srpm]: toSourceRpm() },
          },
        ],
      },
      'noarch',
    );

    const result = await run('noarch');

    expect(result).toMatchObject({ logs: expect.arrayContaining(['tasks/5/5/noarch_rpmdiff.json']) });
    const hashes = JSON.parse(String(session.uploads.get('tasks/5/5/noarch_rpmdiff.json')));
    expect(hashes).toEqual({ '5': { 'hello-1.0-1.noarch.rpm': expect.stringMatching(/^[0-9a-f]{64}$/) } });
    expect(session.of('host.newBuildRoot')[0]?.params).toEqual([70, 'x86_64']);
    expect(containers.created.length).toBeGreaterThan(3);
  });

  it('builds noarch packages in a root of the arch its task was given', async () => {
    const { session, run } = await setUp(good, 'x86_64');
    session
      .on('host.getHost', hostRow({ arches: 'i386 x86_64' }))
      .on('getBuildConfig', tagRow({ arches: 'i386 x86_64' }));

    await run('noarch');

    expect(session.of('host.newBuildRoot')[0]?.params).toEqual([70, 'x86_64']);
  });

  it('weighs more when the package took long before', async () => {
    const { session, run } = await setUp();
    session.on('getAverageBuildDuration', 4800);

    await run();

    expect(session.of('host.setTaskWeight')[0]?.params).toEqual([5, 2.5]);
  });

  it.each([
    [1, 'exited with status 1; see build.log or root.log for more information'],
    [40, 'exited with status 40; see root.log for more information'],
  ])('fails with the log to read when rpmbuild ends with %i', async (code, text) => {
    const { session, run, tidyUp, context } = await setUp({
      builds: [{ code, output: 'error: bad\n' }],
    });

    await expect(run()).rejects.toMatchObject({
      faultCode: 1005,
      message: `error building package (arch x86_64), ${text}`,
    });
    await context.logs.finish(context.signal);
    await tidyUp();

    expect(session.of('host.updateBuildRootList')).toHaveLength(1);
    expect(session.of('host.setBuildRootState').map(({ params }) => params[1])).toEqual([
      'BUILDING',
      'EXPIRED',
    ]);
    expect(session.uploads.get('tasks/5/5/build.log')?.toString()).toBe('error: bad\n');
  });

  it('fails with status 30, and without installed_pkgs.log, when a requirement cannot be had', async () => {
    const { session, run, context } = await setUp({
      ...good,
      solve: (attempt) => (attempt === 1 ? ['bash'] : 1),
    });

    await expect(run('noarch')).rejects.toMatchObject({
      faultCode: 1005,
      message:
        'error building package (arch noarch), exited with status 30; see root.log for more information',
    });
    await context.logs.finish(context.signal);

    expect(session.of('host.updateBuildRootList')).toHaveLength(1);
    expect(context.logs.uploaded).not.toContain('installed_pkgs.log');
    expect(context.logs.uploaded).toContain('root.log');
  });

  it('fails with fault 1012 when the root cannot be made', async () => {
    const { session, run, tidyUp } = await setUp({ ...good, solve: () => 1 });

    await expect(run()).rejects.toMatchObject({ faultCode: 1012 });
    await tidyUp();

    expect(session.of('host.setBuildRootState').map(({ params }) => params[1])).toEqual(['EXPIRED']);
  });

  it('leaves nothing behind when it is stopped in the middle of rpmbuild', async () => {
    const { session, run, abort, tidyUp, containers, clock } = await setUp({
      builds: [{ runMs: Number.POSITIVE_INFINITY }],
    });

    const rejected = expect(run()).rejects.toThrow('cancelled');
    await expect.poll(() => containers.calls.some((call) => /^start .*build-1$/.test(call))).toBe(true);
    abort.abort(new Error('cancelled'));
    await rejected;
    await tidyUp();

    expect(session.of('host.setBuildRootState').map(({ params }) => params[1])).toEqual([
      'BUILDING',
      'EXPIRED',
    ]);
    expect(clock.sleeping).toBe(0);
  });

  it('tells the log what the build left behind', async () => {
    const { lines, run } = await setUp({
      builds: [{ rpms: { 'core.1': '' }, srpms: { [srpm]: toSourceRpm() } }],
    });

    await run();

    expect(lines).toContainEqual(expect.objectContaining({ what: '"RPMS/core.1": does not end in .rpm' }));
  });

  it.each<[string, RpcValue, string, number]>([
    ['no repo', {}, 'A repo id must be provided', 1005],
    ['no options', null, 'A repo id must be provided', 1005],
  ])('wants a repo: %s', async (_what, opts, message, faultCode) => {
    const { run } = await setUp();

    await expect(run('x86_64', true, opts)).rejects.toMatchObject({ faultCode, message });
  });

  it('passes on that there is no such repo', async () => {
    const { run, session } = await setUp();
    session.on('repoInfo', hubFault(1000, 'No such repo'));

    await expect(run()).rejects.toMatchObject({ faultString: 'No such repo' });
  });

  it('says which source package is missing, or is none', async () => {
    const { context, put, run } = await setUp();
    const adapter = (path: string) =>
      buildArch.run({ pkg: path, root: 11, arch: 'x86_64', keep_srpm: true, opts: { repo_id: 70 } }, context);

    await expect(adapter('tasks/4/4/gone.src.rpm')).rejects.toMatchObject({
      faultCode: 1005,
      message: 'SRPM file missing: work/tasks/4/4/gone.src.rpm',
    });
    await expect(adapter('../../etc/passwd')).rejects.toMatchObject({
      faultCode: 1005,
      message: 'SRPM file missing: work/../../etc/passwd',
    });
    await put(`work/${pkg}`, toSourceRpm({ builtFrom: 'x.src.rpm' }));
    await expect(run()).rejects.toMatchObject({ faultCode: 1005, message: 'not a source package' });
    await put(`work/${pkg}`, toSourceRpm({ release: '0/../../precious\x1b[2J' }));
    await expect(run()).rejects.toMatchObject({
      faultCode: 1000,
      blame: 'package',
      message:
        'Downloaded rpm hello-1.0-1.src.rpm is corrupted: bad main header: its release "0/../../precious\\x1b[2J" has a slash',
    });
    await put(`work/${pkg}`, '<html>');
    await expect(run()).rejects.toMatchObject({
      faultCode: 1000,
      message: expect.stringMatching(/^Downloaded rpm hello-1\.0-1\.src\.rpm is corrupted: not an RPM: /),
    });
  });

  it('refuses a repo that does not belong to its tag', async () => {
    const { run, session } = await setUp();
    session.on('repoInfo', repoRow({ tag_id: 99, tag_name: 'other' }));

    await expect(run()).rejects.toMatchObject({
      faultCode: 1012,
      message: 'tag/repo mismatch: f1-build vs other',
    });
  });
});

describe('a host', () => {
  it.each([
    ['x86_64', ['x86_64', 'noarch'], null],
    ['aarch64 ppc64le', ['x86_64'], 'tag arches (aarch64, ppc64le) and host arches (x86_64) are disjoint'],
    ['', ['x86_64'], null],
  ])('with a tag of %j and arches %j: %j', async (arches, hostArches, why) => {
    const { session, context } = await setUp();
    session.on('getBuildConfig', tagRow({ arches }));
    const params = { pkg, root: 11, arch: 'x86_64', keep_srpm: true, opts: null };

    expect(
      await buildArch.checkHost?.(params, { arches: hostArches }, new TagsApi(session), context.signal),
    ).toBe(why);
  });
});

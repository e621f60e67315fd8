import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { payloadhash, playRoot, type RootPlay } from '../../../test/support/fake-root.ts';
import { failureOf } from '../../../test/support/root-bench.ts';
import { toSourceRpm } from '../../../test/support/source-rpm.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import { outcomeOf } from '../../daemon/run/outcome.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { rebuildSrpm } from './index.ts';

const given = 'cli-build/1.2/hello-1.0-1.src.rpm';
const made = 'hello-1.0-1.td1.src.rpm';
const good: RootPlay = { builds: [{ srpms: { [made]: toSourceRpm({ release: '1.td1' }) } }] };

async function setUp(play: RootPlay = good) {
  const bench = await openTaskBench({
    method: 'rebuildSRPM',
    behave: (directory, packages) => playRoot(directory, play, packages),
  });
  const listed = { id: 31, name: 'bash', version: '1', release: '1', arch: 'x86_64', payloadhash };
  await bench.put('repos/f1-build/70/x86_64/rpmlist.jsonl', `${JSON.stringify(listed)}\n`);
  await bench.put(`work/${given}`, toSourceRpm());
  bench.session
    .on('host.newBuildRoot', 9)
    .on('host.setBuildRootList', null)
    .on('host.setBuildRootState', null);
  return { ...bench, run: (opts: RpcValue = { repo_id: 70 }) => bench.run(rebuildSrpm, given, 11, opts) };
}

describe('rebuildSRPM', () => {
  it('makes the source package with the macros of the tag', async () => {
    const { session, run, directory, tidyUp } = await setUp();

    const result = await run();

    expect(result).toEqual({
      srpm: `tasks/5/5/${made}`,
      logs: [
        ...['mock_config.log', 'hw_info.log', 'root.log', 'build.log', 'state.log', 'mock_output.log'],
      ].map((name) => `tasks/5/5/${name}`),
      brootid: 9,
      source: { source: made, url: made },
    });
    expect(session.methods).toEqual([
      ...['repoInfo', 'getBuildConfig', 'host.getHost', 'getExternalRepoList', 'host.newBuildRoot'],
      ...['host.setBuildRootList', 'host.setBuildRootState', 'host.setBuildRootState'],
    ]);
    expect(await readFile(join(directory, 'in/solve-1.sh'), 'utf8')).toContain('install @srpm-build');
    expect(session.uploads.has(`tasks/5/5/${made}`)).toBe(true);
    await tidyUp();
    expect(session.of('host.setBuildRootState').map(({ params }) => params[1])).toEqual([
      'BUILDING',
      'EXPIRED',
    ]);
  });

  it.each([
    [1, 'error building srpm, exited with status 1; see build.log or root.log for more information'],
    [137, 'error building srpm, exited with status 247; see root.log for more information'],
    [40, 'No spec file found'],
  ])('fails with the log to read when rpmbuild ends with %i', async (code, message) => {
    const { run, session, tidyUp } = await setUp({ builds: [{ code }] });

    await expect(run()).rejects.toMatchObject({ faultCode: 1005, message });
    await tidyUp();

    expect(session.of('host.setBuildRootState').at(-1)?.params[1]).toBe('EXPIRED');
  });

  it('lets the hub hear that it builds before it hears that it has failed', async () => {
    const { run, session, tidyUp, directory } = await setUp({ builds: [{ code: 1 }] });
    const answer = Promise.withResolvers<null>();
    session.on('host.setBuildRootList', () => answer.promise);

    const failing = failureOf(run());
    const state = () => readFile(join(directory, 'logs/state.log'), 'utf8').catch(() => '');
    await expect.poll(state).toContain('Finish: rpmbuild -bs');
    // All that does not wait for the hub gets done.
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(session.of('host.setBuildRootState')).toEqual([]);
    answer.resolve(null);
    await failing;
    await tidyUp();

    expect(session.of('host.setBuildRootState').map(({ params }) => params[1])).toEqual([
      'BUILDING',
      'EXPIRED',
    ]);
  });

  it.each<[string, RootPlay, string]>([
    ['nothing', { builds: [{}] }, 'No srpms found in'],
    [
      'two packages',
      { builds: [{ srpms: { 'a.src.rpm': '', 'b.src.rpm': '' } }] },
      'Multiple srpms found in',
    ],
    [
      'a package with a path for a release',
      { builds: [{ srpms: { [made]: toSourceRpm({ release: '0/../x' }) } }] },
      `${made}: bad main header: its release "0/../x" has a slash`,
    ],
    ['another name', { builds: [{ srpms: { 'other-1-1.src.rpm': toSourceRpm() } }] }, 'srpm name mismatch: '],
  ])('fails when rpmbuild leaves %s', async (_what, play, message) => {
    const { run } = await setUp(play);

    const failure = await failureOf(run());

    expect(outcomeOf(failure)).toMatchObject({
      kind: 'fail',
      code: 1005,
      bug: false,
      message: expect.stringContaining(message),
    });
  });

  it.each([
    [[], 'No spec file found'],
    [['a.spec', 'b.spec'], "Multiple spec files found: ['a.spec', 'b.spec']"],
  ])('fails before a buildroot is made when the files of its input are %j', async (files, message) => {
    const { run, put, session } = await setUp();
    await put(`work/${given}`, toSourceRpm({ files }));

    await expect(run()).rejects.toMatchObject({ faultCode: 1005, message });

    expect(session.of('host.newBuildRoot')).toEqual([]);
  });

  it('says that its input is missing, or is none', async () => {
    const { run, put, context } = await setUp();
    await expect(
      rebuildSrpm.run({ srpm: 'gone.src.rpm', build_tag: 11, opts: { repo_id: 70, scratch: null } }, context),
    ).rejects.toMatchObject({ faultCode: 1005, message: 'Input SRPM file missing: work/gone.src.rpm' });

    await put(`work/${given}`, toSourceRpm({ builtFrom: 'x.src.rpm' }));

    await expect(run()).rejects.toMatchObject({ faultCode: 1005, message: 'not a source package' });
    await expect(run({})).rejects.toMatchObject({ faultCode: 1005, message: 'A repo id must be provided' });
  });
});

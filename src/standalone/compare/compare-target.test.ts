import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { machine, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { payloadhash, playRoot, type RootPlay } from '../../../test/support/fake-root.ts';
import { buildRow, repoRow, tagRow, taskRow } from '../../../test/support/hub-rows.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { emptyCache, noStepLimits, site } from '../../../test/support/root-bench.ts';
import { ScriptedSession } from '../../../test/support/scripted-session.ts';
import { silentLog } from '../../../test/support/silent-log.ts';
import { toSourceRpm } from '../../../test/support/source-rpm.ts';
import { BackgroundRemovals } from '../../container/background-removals.ts';
import { FakeRuntime } from '../../container/fake/fake-runtime.ts';
import { noMeter } from '../../core/meter.ts';
import { never } from '../../core/never.ts';
import { Waits } from '../../core/waits.ts';
import { repoStates, taskStates } from '../../hub/api/schema.ts';
import { HubFiles } from '../../hub/files.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { PolicyResolver } from '../../policy/resolver.ts';
import { compareTarget, type Target } from './compare-target.ts';
import type { Comparison } from './comparison.ts';
import { ReadOnlyHub, readOnlyMethods } from './read-only-hub.ts';

const here = machine();
const pkg = 'tasks/4/4/hello-1.0-1.src.rpm';
const srpm = toSourceRpm();
const rpm = toSourceRpm({ builtFrom: 'hello-1.0-1.src.rpm' });
const play: RootPlay = {
  builds: [
    {
      output: 'compiling\n',
      srpms: { 'hello-1.0-1.src.rpm': srpm },
      rpms: { 'hello-1.0-1.noarch.rpm': rpm },
    },
  ],
};
const bash = { name: 'bash', version: '1', release: '1', epoch: null, arch: 'x86_64', payloadhash };
const internal = { external_repo_id: 0, external_repo_name: 'INTERNAL', is_update: false };
const closedTask = (more: Record<string, RpcValue> = {}) =>
  taskRow({
    id: 7,
    method: 'buildArch',
    state: taskStates.closed,
    parent: 3,
    start_ts: 10,
    completion_ts: 30,
    request: [pkg, 11, here, true, { repo_id: 70 }],
    ...more,
  });

/** When our build begins where the clock was set on by a hundred days. */
const startTs = Date.UTC(2026, 0, 1) / 1000 + 100 * 86_400;

const theirLogs = [
  ...['mock_config.log', 'hw_info.log', 'root.log', 'build.log', 'state.log', 'mock_output.log'],
  ...['installed_pkgs.log', 'noarch_rpmdiff.json'],
];

/** A hub with the closed buildArch task 7, and a host whose containers do as `own` says. */
async function setUp(own: RootPlay = play) {
  const place = await mkdtemp(join(tmpdir(), 'compare-'));
  onTestFinished(() => rm(place, { recursive: true, force: true }));
  const [workDir, topDir] = [join(place, 'work'), join(place, 'koji')];
  const put = async (path: string, content: Uint8Array | string) => {
    await mkdir(dirname(join(topDir, path)), { recursive: true });
    await writeFile(join(topDir, path), content);
  };
  await put(`work/${pkg}`, srpm);
  await put('work/tasks/7/7/hello-1.0-1.src.rpm', srpm);
  await put('work/tasks/7/7/hello-1.0-1.noarch.rpm', rpm);
  await put(`repos/f1-build/70/${here}/rpmlist.jsonl`, `${JSON.stringify({ ...bash, id: 31 })}\n`);
  const session = new ScriptedSession()
    .on('getTaskInfo', ({ params: [id] }) => (id === 7 ? closedTask() : null))
    .on('getTaskResult', {
      rpms: ['tasks/7/7/hello-1.0-1.noarch.rpm'],
      srpms: ['tasks/7/7/hello-1.0-1.src.rpm'],
      logs: theirLogs.map((name) => `tasks/7/7/${name}`),
      brootid: 9,
    })
    .on('listBuildroots', [{ id: 9, arch: here, host_name: 'other' }])
    .on('listRPMs', [{ ...bash, ...internal }])
    .on('repoInfo', repoRow())
    .on('getBuildConfig', tagRow())
    .on('getExternalRepoList', []);
  const clock = new ManualClock();
  const containers = new FakeRuntime({
    clock,
    images: { 'localhost/image:1': { id: 'i', digest: 'sha256:0', arch: 'x86_64' } },
    behave: playRoot(join(workDir, 'compare-7'), own, join(place, 'cache/packages')),
  });
  const cache = emptyCache(containers.ports, place);
  const removals = new BackgroundRemovals(silentLog);
  const policy = new PolicyResolver(
    {
      enabled: true,
      defaultImage: 'localhost/image:1',
      defaultPull: 'never',
      cacheTtlMs: 0,
      mockBootstrapImage: false,
    },
    async () => ({}),
    clock,
  );
  const context = {
    hub: new ReadOnlyHub(session, clock),
    files: new HubFiles([], topDir),
    policy,
    log: silentLog,
    id: 1,
    settings: { mockBootstrapImage: false, networkEnabled: true },
    async openWork() {
      const work = 'compare-7';
      await mkdir(join(workDir, work), { recursive: true });
      return { absolute: join(workDir, work), work };
    },
    host: {
      network: { caBundle: null, proxies: {} },
      meter: noMeter,
      ...containers.ports,
      clock,
      site,
      workerId: 'compare',
      hostname: 'h',
      localTime: null,
      log: silentLog,
      waits: new Waits(clock),
      stepLimits: noStepLimits,
      limits: { pids: 100 },
      labels: {},
      cache,
      removals,
      codeLimits: {},
      extraMounts: [],
    },
  };
  const told: string[] = [];
  const run = async (name = '7', more: Partial<Target> = {}): Promise<readonly Comparison[]> => {
    const target = { name, arch: null, latestRepo: false, theirSite: true, keep: () => null, ...more };
    const all: Comparison[] = [];
    for await (const one of compareTarget(context, target, (note) => told.push(note), never)) all.push(one);
    await removals.idle();
    containers.assertClean();
    return all;
  };
  return { session, put, run, told, topDir, place, clock };
}

const open = ([comparison]: readonly Comparison[]) =>
  comparison?.findings
    .filter(({ allowedBy }) => allowedBy === null)
    .map(({ subject, what, of }) => [subject, what, of]);

describe('compareTarget', () => {
  it('finds no difference in a build that comes out the same', async () => {
    const { run } = await setUp();

    const [comparison] = await run();

    expect(comparison?.findings).toEqual([]);
    expect(comparison).toMatchObject({
      taskId: 7,
      arch: here,
      packages: ['hello-1.0-1.noarch.rpm', 'hello-1.0-1.src.rpm'],
      theirs: { host: 'other', tookMs: 20_000 },
      rootPackages: 1,
    });
  });

  it('asks nothing of the hub that could change it', async () => {
    const { session, run } = await setUp();

    await run();

    const called = new Set(session.calls.map(({ method }) => method));
    expect([...called].filter((method) => !readOnlyMethods.has(method))).toEqual([]);
    expect([...readOnlyMethods].filter((method) => !/^(get[A-Z]|list[A-Z]|repoInfo$)/.test(method))).toEqual(
      [],
    );
  });

  it('takes repo, tag settings and external repos of the event of the repo', async () => {
    const { session, run } = await setUp();

    await run();

    expect(session.of('repoInfo')[0]?.params).toEqual([70]);
    expect(session.of('getBuildConfig')[0]).toMatchObject({ params: [11], keywords: { event: 500 } });
    expect(session.of('getExternalRepoList')[0]).toMatchObject({ params: [11], keywords: { event: 500 } });
  });

  it('shows packages, fields, root packages and logs that differ', async () => {
    const { put, session, run } = await setUp({
      builds: [
        {
          srpms: { 'hello-1.0-1.src.rpm': srpm },
          rpms: { 'hello-1.0-1.noarch.rpm': rpm, 'more-1.0-1.noarch.rpm': rpm },
        },
      ],
    });
    const theirs = toSourceRpm({ builtFrom: 'hello-1.0-1.src.rpm', requires: ['libc'] });
    await put('work/tasks/7/7/hello-1.0-1.noarch.rpm', theirs);
    session.on('listRPMs', [{ ...bash, ...internal, version: '2' }]);
    session.on('getTaskResult', {
      rpms: ['tasks/7/7/hello-1.0-1.noarch.rpm'],
      srpms: ['tasks/7/7/hello-1.0-1.src.rpm'],
      brootid: 9,
      logs: [...theirLogs, 'config.log'].map((name) => `tasks/7/7/${name}`),
    });

    const found = open(await run());

    expect(found).toEqual([
      ['hello-1.0-1.noarch.rpm', 'requires', 'libc'],
      ['packages', 'package', 'more-1.0-1.noarch.rpm'],
      ['buildroot', 'buildroot.package', 'bash.x86_64'],
      ['logs', 'log', 'config.log'],
    ]);
  });

  it.each([
    ['excuses the times of files that both builds have made', 0, []],
    [
      'shows a time that our build should have given a file',
      -20,
      [['hello-1.0-1.noarch.rpm', 'file.mtime', 'hello.spec']],
    ],
  ])('%s', async (_what, daysAway, differences) => {
    // The clock of a machine that has been up for longer than its files are old.
    const ours = toSourceRpm({ builtFrom: 'hello-1.0-1.src.rpm', madeTs: startTs + daysAway * 86_400 });
    const { put, run, clock } = await setUp({
      builds: [{ srpms: { 'hello-1.0-1.src.rpm': srpm }, rpms: { 'hello-1.0-1.noarch.rpm': ours } }],
    });
    clock.set(100 * 86_400_000);
    expect(clock.now()).toBe(startTs * 1000);
    await put(
      'work/tasks/7/7/hello-1.0-1.noarch.rpm',
      toSourceRpm({ builtFrom: 'hello-1.0-1.src.rpm', madeTs: 5000 }),
    );

    expect(open(await run())).toEqual(differences);
  });

  it('takes a build that fails here for a difference, and keeps its logs', async () => {
    const { run, place } = await setUp({ builds: [{ code: 1, output: 'no such file\n' }] });

    const all = await run('7', { keep: () => join(place, 'kept') });

    expect(open(all)).toEqual([['build', 'build', null]]);
    expect(all[0]?.notes.at(-1)).toBe('no such file');
    expect((await readdir(join(place, 'kept'))).sort()).toEqual(['build.log', 'root.log', 'state.log']);
  });

  it('compares the build of an NVR, and finds its packages where the hub keeps them', async () => {
    const { session, put, run, topDir } = await setUp();
    const child = closedTask();
    session
      .on('getBuild', buildRow({ task_id: 3 }))
      .on('getTaskInfo', taskRow({ id: 3, method: 'build', state: taskStates.closed }))
      .on('getTaskChildren', [child, taskRow({ id: 4, method: 'rebuildSRPM' })]);
    await rm(join(topDir, 'work'), { recursive: true });
    await put('packages/hello/1.0/1/src/hello-1.0-1.src.rpm', srpm);
    await put('packages/hello/1.0/1/noarch/hello-1.0-1.noarch.rpm', rpm);

    expect(open(await run('hello-1.0-1'))).toEqual([]);
  });

  it('leaves out tasks for other machines, and says so', async () => {
    const { session, run, told } = await setUp();
    const foreign = closedTask({ id: 8, request: [pkg, 11, 's390x', false, { repo_id: 70 }] });
    session
      .on('getTaskInfo', taskRow({ id: 3, method: 'build', state: taskStates.closed }))
      .on('getTaskChildren', [closedTask(), foreign]);

    expect(await run('3')).toHaveLength(1);
    expect(told).toEqual(['task 8 is left out: it was built for s390x']);
    await expect(run('3', { arch: 's390x' })).rejects.toThrow(/this is a machine for/);
    session.on('getTaskInfo', foreign);
    await expect(run('8', { arch: here })).rejects.toThrow(/task 8 is not a build for .*, only for s390x/);
    session.on('getTaskInfo', taskRow({ id: 3, method: 'build', state: taskStates.closed }));
    await expect(run('3', { arch: 'ppc64le' })).rejects.toThrow(
      /is not a build for ppc64le, only for .*, s390x/,
    );
  });

  it.each<[string, string, Record<string, RpcValue>, RegExp]>([
    ['no such task', '12', {}, /the hub has no task 12/],
    ['no number and no NVR', 'hello', {}, /"hello" is neither/],
    ['no such build', 'a-1-1', { getBuild: null }, /the hub has no build a-1-1/],
    ['an imported build', 'a-1-1', { getBuild: buildRow({ task_id: null }) }, /imported/],
    ['a build that is not complete', 'a-1-1', { getBuild: buildRow({ state: 3 }) }, /is FAILED; only/],
    ['a failed task', '7', { getTaskInfo: closedTask({ state: 5 }) }, /task 7 \(buildArch\) is FAILED/],
    ['a running task', '7', { getTaskInfo: closedTask({ state: 1 }) }, /is OPEN: wait/],
    [
      'a task of another kind',
      '7',
      { getTaskInfo: closedTask({ method: 'newRepo' }), getTaskChildren: [] },
      /is newRepo \(CLOSED\) with no buildArch/,
    ],
    [
      'a deleted repo',
      '7',
      { repoInfo: repoRow({ state: repoStates.deleted }) },
      /repo 70, .* is DELETED: .* --repo latest/,
    ],
    ['no repo at all', '7', { repoInfo: null }, /is unknown/],
  ])('cannot compare: %s', async (_, name, answers, message) => {
    const { session, run } = await setUp();
    for (const [method, answer] of Object.entries(answers)) session.on(method, answer);

    await expect(run(name)).rejects.toMatchObject({
      code: 'cannot-compare',
      message: expect.stringMatching(message),
    });
  });

  it('cannot compare what the hub has removed', async () => {
    const { session, run, topDir } = await setUp();
    session.on('getBuild', null);
    await rm(join(topDir, 'work/tasks/7'), { recursive: true });

    await expect(run()).rejects.toThrow(/hello-1.0-1.noarch.rpm of task 7 is no longer on the hub/);
  });

  it.each([
    [
      'version',
      toSourceRpm({ version: '../../x', builtFrom: 'a.src.rpm' }),
      'its version "../../x" has a slash',
    ],
    ['source package', toSourceRpm({ builtFrom: '../x' }), 'its source package "../x" has a slash'],
  ])('cannot compare a package that has a path for a %s', async (_what, bytes, message) => {
    const { put, run } = await setUp();
    await put('work/tasks/7/7/hello-1.0-1.noarch.rpm', bytes);

    await expect(run()).rejects.toMatchObject({
      code: 'cannot-compare',
      message: `hello-1.0-1.noarch.rpm of task 7 cannot be read: bad main header: ${message}`,
    });
  });

  it('asks for no file outside of the tree, whatever the hub answers', async () => {
    const { session, run, put } = await setUp();
    await put('../secret/hello-1.0-1.noarch.rpm', rpm);
    session.on('getBuild', null).on('getTaskResult', {
      rpms: ['../../secret/hello-1.0-1.noarch.rpm'],
      srpms: [],
      logs: [],
      brootid: 9,
    });

    await expect(run()).rejects.toThrow('hello-1.0-1.noarch.rpm of task 7 is no longer on the hub');
  });

  it('builds with the newest repo of the tag when it is told to', async () => {
    const { session, put, run } = await setUp();
    await put(`repos/f1-build/71/${here}/rpmlist.jsonl`, '');
    session
      .on('getRepo', repoRow({ id: 71 }))
      .on('repoInfo', ({ params: [id] }) =>
        repoRow({ id: Number(id), state: id === 71 ? repoStates.ready : repoStates.deleted }),
      );

    const [comparison] = await run('7', { latestRepo: true });

    expect(session.of('getRepo')[0]?.params).toEqual([11]);
    expect(comparison?.repo.id).toBe(71);
  });
});

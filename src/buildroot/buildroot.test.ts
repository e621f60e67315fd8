import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { payloadhash, playRoot, type RootPlay } from '../../test/support/fake-root.ts';
import { externalRow, repoRow, tagRow } from '../../test/support/hub-rows.ts';
import { failureOf } from '../../test/support/root-bench.ts';
import { hubFault } from '../../test/support/scripted-session.ts';
import { toSourceRpm } from '../../test/support/source-rpm.ts';
import { openTaskBench } from '../../test/support/task-bench.ts';
import { outcomeOf } from '../daemon/run/outcome.ts';
import { RepoInfo } from '../hub/api/repo-schema.ts';
import { repoStates, TagInfo } from '../hub/api/schema.ts';
import { HubFiles } from '../hub/files.ts';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { Buildroot, type BuildrootRequest } from './buildroot.ts';
import { BuildrootUnavailable, BuildrootUnsupported } from './errors.ts';
import { BuildrootMismatch } from './root/installed-packages.ts';

const listPath = 'repos/f1-build/70/x86_64/rpmlist.jsonl';
const listLine = (more: Record<string, unknown> = {}) =>
  `${JSON.stringify({
    id: 31,
    name: 'bash',
    version: '1',
    release: '1',
    arch: 'x86_64',
    payloadhash,
    epoch: null,
    ...more,
  })}\n`;

async function setUp(
  play: RootPlay = {},
  list: string | null = listLine(),
  kojid: readonly string[] = [],
  rules: readonly object[] = [],
) {
  const bench = await openTaskBench({
    method: 'buildArch',
    kojid,
    site: rules,
    behave: (directory, packages) => playRoot(directory, play, packages),
  });
  bench.session
    .on('host.newBuildRoot', 9)
    .on('host.setBuildRootList', null)
    .on('host.updateBuildRootList', null)
    .on('host.setBuildRootState', null);
  if (list !== null) await bench.put(listPath, list);
  return { ...bench, open: (changes = {}) => Buildroot.open(bench.context, question(changes)) };
}

const Listed = z.looseObject({ name: z.string() });

interface Changes {
  readonly repo?: Record<string, RpcValue>;
  readonly tag?: Record<string, RpcValue>;
  readonly question?: Partial<BuildrootRequest>;
}

function question({ repo = {}, tag = {}, question: more = {} }: Changes): BuildrootRequest {
  const basis = { repo: RepoInfo.parse(repoRow(repo)), config: TagInfo.parse(tagRow(tag)) };
  return {
    ...basis,
    arch: 'x86_64',
    packageArch: 'x86_64',
    group: 'build',
    packageName: 'hello',
    ...more,
  };
}

/** The group has these packages, and nothing else is wanted. */
const first =
  (...names: readonly string[]) =>
  (attempt: number) =>
    attempt === 1 ? names : [];

describe('Buildroot', () => {
  it('registers, lists its packages before and after, and expires', async () => {
    const { session, open, context, tidyUp } = await setUp();

    const buildroot = await open();
    buildroot.announce();
    buildroot.update();
    await buildroot.reported();
    await buildroot.record.expire(context.signal);
    await tidyUp();

    expect(session.methods).toEqual([
      'getExternalRepoList',
      'host.newBuildRoot',
      'host.setBuildRootList',
      'host.setBuildRootState',
      'host.updateBuildRootList',
      'host.setBuildRootState',
    ]);
    const listed = { name: 'bash', version: '1', release: '1', epoch: null, arch: 'x86_64', size: 10 };
    const bash = { ...listed, buildtime: 1_700_000_000, payloadhash, id: 31 };
    const [registered] = session.of('host.newBuildRoot');
    expect(registered).toMatchObject({ params: [70, 'x86_64'], keywords: { task_id: 5 } });
    expect(session.of('host.setBuildRootList')[0]).toMatchObject({
      params: [9, [bash]],
      keywords: { task_id: 5 },
    });
    expect(session.of('host.updateBuildRootList')[0]).toMatchObject({ params: [9, [bash]] });
    expect(session.of('host.setBuildRootState').map(({ params }) => params)).toEqual([
      [9, 'BUILDING'],
      [9, 'EXPIRED'],
    ]);
  });

  it('tells the hub what the build requirements have added', async () => {
    const { session, open } = await setUp({ solve: first('bash', 'gcc') }, listLine());

    const buildroot = await open();
    buildroot.update();
    await buildroot.reported();

    expect(session.of('host.updateBuildRootList')[0]?.params[1]).toMatchObject([
      { name: 'bash', id: 31 },
      { name: 'gcc' },
    ]);
  });

  it.each([
    ['the root cannot be made', { solve: () => 1 }],
    ['packages cannot be installed', { install: () => 1 }],
  ])('expires, with fault 1012, when %s', async (_what, play) => {
    const { session, open, tidyUp } = await setUp(play);

    const error = await failureOf(open());
    await tidyUp();

    expect(error).toBeInstanceOf(BuildrootUnavailable);
    expect(error).toMatchObject({
      faultCode: 1012,
      message: 'could not init buildroot, exited with status 30; see root.log for more information',
    });
    expect(session.of('host.setBuildRootList')).toEqual([]);
    expect(session.of('host.setBuildRootState').map(({ params }) => params)).toEqual([[9, 'EXPIRED']]);
  });

  it('expires when the hub refuses its list, and is not said to build', async () => {
    const { session, open, tidyUp } = await setUp();
    session.on('host.setBuildRootList', hubFault(1000, 'No such rpm'));

    const buildroot = await open();
    buildroot.announce();
    await expect(buildroot.reported()).rejects.toMatchObject({ faultCode: 1000 });
    await tidyUp();

    expect(session.of('host.setBuildRootState').map(({ params }) => params)).toEqual([[9, 'EXPIRED']]);
  });

  it('expires although its task was stopped', async () => {
    const { session, open, tidyUp, abort } = await setUp();
    session.on('host.setBuildRootList', () => {
      abort.abort(new Error('cancelled'));
      return null;
    });

    const buildroot = await open();
    buildroot.announce();
    await expect(buildroot.reported()).rejects.toThrow('cancelled');
    await tidyUp();

    expect(session.of('host.setBuildRootState').map(({ params }) => params)).toEqual([[9, 'EXPIRED']]);
  });

  it('is not told to the hub with a package that contradicts the repo', async () => {
    const { session, open } = await setUp({}, listLine({ payloadhash: 'f'.repeat(32) }));

    const buildroot = await open();
    const error = await failureOf((async () => buildroot.announce())());

    expect(error).toBeInstanceOf(BuildrootMismatch);
    expect(error).toMatchObject({ faultCode: 1012 });
    expect(session.of('host.setBuildRootList')).toEqual([]);
  });

  it.each([
    [repoStates.ready, null],
    [repoStates.expired, null],
    [repoStates.init, 'Requested repo (70) is INIT'],
    [repoStates.deleted, 'Requested repo (70) is DELETED'],
    [repoStates.problem, 'Requested repo (70) is PROBLEM'],
  ])('takes a repo in state %i: %j', async (state, message) => {
    const { open, session } = await setUp();

    const error = await failureOf(open({ repo: { state } }));

    if (message === null) expect(error).toBeNull();
    else expect(error).toMatchObject({ faultCode: 1012, message });
    expect(session.of('host.newBuildRoot')).toHaveLength(message === null ? 1 : 0);
  });

  it('refuses the repo of another tag', async () => {
    const { open, session } = await setUp();

    const error = await failureOf(open({ repo: { tag_id: 12, tag_name: 'f2-build' } }));

    expect(error).toMatchObject({ faultCode: 1012, message: 'tag/repo mismatch: f1-build vs f2-build' });
    expect(session.calls).toEqual([]);
  });

  it('says of packages from external repos where they came from', async () => {
    const { open, session, put } = await setUp({ solve: first('bash', 'gcc') });
    session.on('getExternalRepoList', [externalRow({ external_repo_id: 4 })]);
    await put(
      'repos/f1-build/70/x86_64/repodata/repomd.xml',
      '<repomd><data type="origin"><location href="repodata/pkgorigins.gz"/></data></repomd>',
    );
    const origins =
      'gcc-1-1.x86_64\thttp://mirror/ext/x86_64/\nbash-1-1.x86_64\tfile:///work/repo_70_premerge/\n';
    await put('repos/f1-build/70/x86_64/repodata/pkgorigins.gz', gzipSync(origins));

    const buildroot = await open();
    buildroot.announce();
    buildroot.update();
    await buildroot.reported();

    for (const method of ['host.setBuildRootList', 'host.updateBuildRootList']) {
      const [bash, gcc] = z.tuple([Listed, Listed]).parse(session.of(method)[0]?.params[1]);
      expect(bash).toMatchObject({ name: 'bash', id: 31 });
      expect(bash).not.toHaveProperty('location');
      expect(gcc).toMatchObject({ name: 'gcc', location: 4 });
    }
    expect(session.of('getExternalRepoList')[0]).toMatchObject({ params: [11], keywords: { event: 500 } });
  });

  it('is not told to the hub with a package that no repo of the tag has', async () => {
    const { open, session, put } = await setUp();
    session.on('getExternalRepoList', [externalRow()]);
    await put(
      'repos/f1-build/70/x86_64/repodata/repomd.xml',
      '<repomd><data type="origin"><location href="repodata/pkgorigins.gz"/></data></repomd>',
    );
    await put('repos/f1-build/70/x86_64/repodata/pkgorigins.gz', gzipSync(''));

    const buildroot = await open();
    const error = await failureOf((async () => buildroot.announce())());

    expect(error).toMatchObject({ faultCode: 1005, message: 'No origin for bash-1-1.x86_64' });
    expect(session.of('host.setBuildRootList')).toEqual([]);
  });

  it("leaves tags with external repos on a builder's own disk to other builders", async () => {
    const { open, session } = await setUp();
    session.on('getExternalRepoList', [externalRow({ url: 'file:///mnt/ext/' })]);

    expect(await failureOf(open())).toBeInstanceOf(BuildrootUnsupported);
    expect(session.of('host.newBuildRoot')).toEqual([]);
  });

  it('leaves tags that want another package manager to other builders', async () => {
    const { open, session } = await setUp();

    const error = await failureOf(open({ tag: { extra: { 'mock.package_manager': 'yum' } } }));

    expect(error).toBeInstanceOf(BuildrootUnsupported);
    expect(session.of('host.newBuildRoot')).toEqual([]);
  });

  it('says once which tag extras mean nothing here', async () => {
    const { open, lines } = await setUp();

    await open({ tag: { extra: { 'mock.new_chroot': 0, 'mock.bootstrap_image': 'fedora:42' } } });

    expect(lines.filter(({ msg }) => msg === 'tag extras without effect here')).toMatchObject([
      { extras: ['mock.new_chroot', 'mock.bootstrap_image (mock_bootstrap_image is off)'] },
    ]);
  });

  it('names packages without their ids where the hub has left no list, and asks for drafts as kojid does', async () => {
    const { open, session } = await setUp({}, null);
    const draft = { id: 77, name: 'bash', version: '1', release: '1', arch: 'x86_64', payloadhash };
    session.on('listTaggedRPMS', [[draft], []]);

    const buildroot = await open();
    buildroot.announce();
    await buildroot.reported();

    expect(session.of('listTaggedRPMS')).toMatchObject([
      { keywords: { event: expect.any(Number), latest: true, draft: true } },
    ]);
    expect(session.of('host.setBuildRootList')[0]?.params[1]).toMatchObject([{ name: 'bash', id: 77 }]);
  });

  it('asks hubs before 1.34 for no drafts', async () => {
    const { open, session } = await setUp({}, null);
    session.hubVersion = '1.33.2';

    const buildroot = await open();
    buildroot.announce();
    await buildroot.reported();

    const [listed] = z.array(Listed).parse(session.of('host.setBuildRootList')[0]?.params[1]);
    expect(listed).toMatchObject({ name: 'bash', version: '1', release: '1', arch: 'x86_64' });
    expect(listed).not.toHaveProperty('id');
  });

  it('leaves it to another try when the list of its packages cannot be read', async () => {
    const { context } = await setUp();
    const nowhere = new HubFiles(['http://127.0.0.1:1/kojifiles'], '');

    expect(await failureOf(Buildroot.open({ ...context, files: nowhere }, question({})))).toMatchObject({
      code: 'hub-file-unreachable',
    });
  });

  it.each(['{', '{"id": "x"}', '<html>'])('says which line of the list is none: %s', async (line) => {
    const { open } = await setUp({}, `${listLine()}\n${line}\n`);

    expect(await failureOf(open())).toMatchObject({
      faultCode: 1012,
      message: expect.stringContaining(`${listPath}:3 does not describe a package`),
    });
  });

  it('is of the canonical arch, for the arch it was asked for', async () => {
    const { open, session, put, containers } = await setUp();
    await put('repos/f1-build/70/i386/rpmlist.jsonl', '');
    session.on('host.newBuildRoot', 9);
    const rules = [{ type: 'default', image: 'localhost/other:1' }];
    const extra = { adjutant_image_policy: { version: '1.0', rules } };

    await open({ tag: { extra }, question: { arch: 'i686', packageArch: 'noarch' } });

    expect(session.of('host.newBuildRoot')[0]?.params).toEqual([70, 'i386']);
    expect(containers.created.find(({ owner }) => owner.phase === 'solve')?.root).toEqual({
      kind: 'image',
      image: 'localhost/other:1',
    });
  });

  it('gives its containers the limits that the policy sets', async () => {
    const { open, containers } = await setUp();
    const limits = { pids: 7 };
    const rules = [{ type: 'default', image: 'localhost/other:1', limits }];

    await open({ tag: { extra: { adjutant_image_policy: { version: '1.0', rules } } } });

    for (const { limits: given } of containers.created) expect(given).toEqual({ pids: 7, memoryBytes: 1000 });
  });

  it('gives them no more than the operator lets a build have, whatever the policy says', async () => {
    const { open, containers } = await setUp();
    const limits = { pids: 100_000, memory: '64g', cpus: 2 };
    const rules = [{ type: 'default', image: 'localhost/other:1', limits }];

    await open({ tag: { extra: { adjutant_image_policy: { version: '1.0', rules } } } });

    const [{ limits: given } = { limits: null }] = containers.created;
    expect(given).toEqual({ pids: expect.any(Number), memoryBytes: 1000, cpus: 2 });
    expect(given?.pids).toBeLessThan(100_000);
  });

  describe('with a policy that asks for network', () => {
    const rules = [{ type: 'default', image: 'localhost/other:1', network: true }];
    const tag = { extra: { adjutant_image_policy: { version: '1.0', rules } } };

    it('gives it to package code, and says so', async () => {
      const { open, containers, context, session, lines } = await setUp({}, listLine(), [
        'adjutant_network_enabled = yes',
      ]);

      const { root } = await open({ tag });
      const source = join(context.directory.absolute, 'given.src.rpm');
      await writeFile(source, toSourceRpm());
      await root.bringSource(source);
      await root.rebuildSource(context.signal);
      await context.logs.finish(context.signal);

      const networks = containers.created.map(({ owner, network }) => [owner.phase, network]);
      expect(Object.fromEntries(networks)).toEqual({
        solve: 'host',
        install: 'none',
        list: 'none',
        build: 'host',
      });
      const because = expect.stringContaining('rules[0]');
      expect(lines).toContainEqual(expect.objectContaining({ level: 40, because }));
      const config = session.uploads.get('tasks/5/5/mock_config.log')?.toString();
      expect(config).toContain("config_opts['rpmbuild_networking'] = True");
      expect(config).toContain("config_opts['use_host_resolv'] = True");
    });

    it('is refused where the host forbids it, before the hub hears of it', async () => {
      const { open, session } = await setUp({}, listLine());

      const error = await failureOf(open({ tag }));

      expect(error).toBeInstanceOf(BuildrootUnsupported);
      expect(String(error)).toMatch(/rules\[0\].* asks for network, which network_enabled forbids/);
      expect(session.of('host.newBuildRoot')).toEqual([]);
    });
  });

  it('rejects an image that cannot be had, and expires', async () => {
    const { open, session, tidyUp } = await setUp();
    const rules = [{ type: 'default', image: 'localhost/missing:1' }];

    const error = await failureOf(
      open({ tag: { extra: { adjutant_image_policy: { version: '1.0', rules } } } }),
    );
    await tidyUp();

    expect(error).toMatchObject({ code: 'image-missing' });
    expect(session.of('host.setBuildRootState').map(({ params }) => params)).toEqual([[9, 'EXPIRED']]);
  });

  it('writes the logs that mock would', async () => {
    const { open, context, session, directory } = await setUp({
      solve: first('bash', 'gcc'),
    });

    const buildroot = await open();
    await mkdir(join(directory, 'solve/logs'), { recursive: true });
    for (const name of ['dnf.log', 'dnf.rpm.log', 'dnf5.log', 'hawkey.log'])
      await writeFile(join(directory, 'solve/logs', name), name);
    await buildroot.logInstalled();
    await buildroot.logPackageManager();
    await buildroot.logPackageManager();
    await context.logs.finish(context.signal);

    expect([...context.logs.uploaded].sort()).toEqual([
      ...['build.log', 'dnf.log', 'dnf.rpm.log', 'dnf5.log', 'hw_info.log', 'installed_pkgs.log'],
      ...['mock_config.log', 'mock_output.log', 'root.log', 'state.log'],
    ]);
    const text = (name: string) => session.uploads.get(`tasks/5/5/${name}`)?.toString();
    expect(text('state.log')).toBe(
      [
        '2026-01-01 00:00:00,000 - Start: choose packages for @build',
        '2026-01-01 00:00:00,000 - Finish: choose packages for @build',
        '2026-01-01 00:00:00,000 - Start: install packages for @build',
        '2026-01-01 00:00:00,000 - Finish: install packages for @build',
        '',
      ].join('\n'),
    );
    expect(text('mock_output.log')).toMatch(
      /^Start: choose packages for @build\nFinish: choose packages for @build\n/,
    );
    expect(text('root.log')).toBe(
      [
        '2026-01-01 00:00:00,000 - choose packages for @build\nsolve 1\n',
        '@build: 2 packages, 0 of them fetched (0 bytes), the others from the cache\n',
        '2026-01-01 00:00:00,000 - install packages for @build\ninstall 1\n',
      ].join(''),
    );
    expect(text('installed_pkgs.log')).toMatch(/^bash-1-1.x86_64 1700000000 10 installed\ngcc-1-1/);
    expect(text('mock_config.log')).toContain("config_opts['root'] = 'f1-build-9-70'");
    expect(text('hw_info.log')).toContain('CPU(s): ');
  });

  it("sends dnf's logs also of a root that could not be made", async () => {
    const { open, context, directory, tidyUp } = await setUp({ solve: () => 1 });
    await mkdir(join(directory, 'solve/logs'), { recursive: true });
    await writeFile(join(directory, 'solve/logs/dnf.log'), 'nothing provides it');

    await failureOf(open());
    await context.cleanup.disposeAsync();
    await context.logs.finish(context.signal);
    await tidyUp();

    expect(context.logs.uploaded).toContain('dnf.log');
  });

  it('sends a build.log also when rpmbuild did not get its turn', async () => {
    const { open, context, session, tidyUp } = await setUp({ solve: () => 1 });

    await failureOf(open());
    await context.cleanup.disposeAsync();
    await context.logs.finish(context.signal);
    await tidyUp();

    expect(session.uploads.get('tasks/5/5/build.log')?.toString()).toBe(
      'rpmbuild has not run; root.log says why\n',
    );
  });
});

describe('the site file', () => {
  const withRules = (...rules: readonly object[]) => setUp({}, listLine(), [], rules);

  it('opens to a build of its tag and channel what it says, and tells so in the logs', async () => {
    const { open, session, directory, containers, context } = await withRules(
      { reason: 'needs null', tags: ['f1-*'], channels: ['vm'], devices: ['/dev/null'] },
      { reason: 'other tags', tags: ['f2-*'], shm_size: '1G' },
    );
    session.on('getChannel', { id: 1, name: 'vm' });

    const buildroot = await open();
    const source = join(directory, 'given.src.rpm');
    await writeFile(source, toSourceRpm());
    await buildroot.root.bringSource(source);
    await failureOf(buildroot.root.rebuildSource(context.signal));

    const line = 'device /dev/null (needs null; rules[0] of /site.json)';
    const log = (name: string) => readFile(join(directory, 'logs', name), 'utf8');
    expect(await log('mock_config.log')).toContain(`# Opened by the site file: ${line}\n`);
    expect(await log('root.log')).toContain(`opened by the site file: ${line}\n`);
    const phases = containers.created.map(({ owner, devices }) => [owner.phase, devices]);
    expect(phases.filter(([, devices]) => devices !== undefined)).toEqual([['build', ['/dev/null']]]);
    expect(session.methods.filter((method) => method === 'getChannel')).toHaveLength(1);
  });

  it('asks the hub for no channel where no rule for the tag does', async () => {
    const { open, session } = await withRules({
      reason: 'vm',
      tags: ['f2-*'],
      channels: ['vm'],
      shm_size: '1G',
    });

    await open();

    expect(session.methods).not.toContain('getTaskInfo');
  });

  it.each([
    [
      { devices: ['/dev/no-such'] },
      'this host has no device /dev/no-such, which /site.json grants to this build',
    ],
    [
      { mounts: [{ source: '/no/such', target: '/x' }] },
      'this host has no /no/such, which /site.json grants to this build',
    ],
  ])('gives the task to another host, for a while, where %j is missing', async (opened, message) => {
    const { open, session } = await withRules({ reason: 'x', ...opened });

    const error = await failureOf(open());

    expect(outcomeOf(error)).toEqual({
      kind: 'refuse',
      soft: true,
      message: expect.stringContaining(message),
    });
    expect(session.methods).not.toContain('host.newBuildRoot');
  });
});

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { failureOf, openRootBench } from '../../test/support/root-bench.ts';
import { toSourceRpm } from '../../test/support/source-rpm.ts';
import { BuildrootStepFailed, UnusableImage } from './errors.ts';

const never = new AbortController().signal;
const srpm = (...requires: string[]) => toSourceRpm({ requires });
const generated = 'rpmlib(DynamicBuildRequires)';

describe('TagRoot.prepare', () => {
  it('fetches the group, installs it into the container of the build, and reads what is there', async () => {
    const { directory, logs, prepare, created, started } = await openRootBench({
      installed: () => ['bash', 'rpm-build'],
    });

    const root = await prepare();

    expect(root.installed.map(({ name }) => name)).toEqual(['bash', 'rpm-build']);
    expect(created()).toEqual(['build-1', 'fetch-1', 'install-1']);
    expect(started()).toEqual(['fetch-1', 'install-1']);
    expect(logs.texts.root).toBe('fetch 1\ninstall 1\n');
    expect(logs.steps).toEqual([
      ...['start fetch @build', 'finish fetch @build', 'start install @build', 'finish install @build'],
    ]);
    expect(await readFile(join(directory, 'in/fetch-1.sh'), 'utf8')).toContain('install @build');
    expect(await readFile(join(directory, 'in/install-1.sh'), 'utf8')).toContain('chown -R 1000:135');
    expect(await readFile(join(directory, 'in/rpmmacros'), 'utf8')).toContain('%_topdir /builddir/build\n');
    expect(await readFile(join(directory, 'in/dnf.conf'), 'utf8')).toContain('baseurl=http://hub/repo\n');
    expect(await readdir(join(directory, 'fetch'))).not.toContain('packages-1');
  });

  it('gives each phase no more than it needs', async () => {
    const { containers, prepare } = await openRootBench({});

    await prepare();

    const [build, fetch, install] = containers.created;
    expect(fetch).toMatchObject({
      root: { kind: 'image', image: 'localhost/image:1' },
      network: 'host',
      capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'],
      labels: { a: 'b' },
    });
    expect(fetch?.mounts.map(({ kind, target }) => `${kind} ${target}`)).toEqual([
      'work /adjutant/in',
      'work /adjutant/fetch',
    ]);
    expect(install).toMatchObject({ network: 'none', user: { uid: 0, gid: 0 } });
    expect(install?.mounts).toContainEqual({
      ...{ kind: 'root', container: 'fake-1', path: '/', target: '/mnt/root', access: 'write' },
    });
    expect(build).toMatchObject({
      root: { kind: 'empty', directories: [] },
      network: 'none',
      capabilities: [],
      user: { uid: 1000, gid: 135 },
      hostname: 'host.example.com',
    });
    expect(build?.mounts.filter((mount) => !('readOnly' in mount && mount.readOnly))).toEqual([]);
    expect(
      containers.created.filter(({ mounts }) => mounts.some(({ target }) => target === '/data')),
    ).toEqual([build]);
  });

  it.each([1, 137, 30])('fails with status 30 when the fetch ends with %i', async (code) => {
    const { prepare, created, logs } = await openRootBench({ fetch: () => code });

    expect(await failureOf(prepare())).toMatchObject({
      status: 30,
      message: `fetch @build (status ${code}) exited with status 30; see root.log for more information`,
    });

    expect(created()).not.toContain('install-1');
    expect(logs.steps.at(-1)).toBe('finish fetch @build');
  });

  it('fails with status 30 when the installation fails', async () => {
    const { prepare } = await openRootBench({ install: () => 1 });

    const error = await failureOf(prepare());

    expect(error).toBeInstanceOf(BuildrootStepFailed);
    expect(error).toMatchObject({ status: 30, step: 'install @build (status 1)' });
  });

  it('says that the image is to blame when it has no dnf', async () => {
    const { prepare } = await openRootBench({ fetch: () => 3 });

    const error = await failureOf(prepare());

    expect(error).toBeInstanceOf(UnusableImage);
    expect(error).toMatchObject({ message: expect.stringContaining('localhost/image:1 has no dnf') });
  });

  it('stops where it is when it is aborted, and leaves nothing behind', async () => {
    const abort = new AbortController();
    const { logs, prepare, started } = await openRootBench({}, { signal: abort.signal });
    logs.step = async () => abort.abort(new Error('cancelled'));

    await expect(prepare()).rejects.toThrow('cancelled');

    expect(started()).toEqual([]);
  });
});

describe('TagRoot.build', () => {
  const plain = { sources: [{ srpms: { 'hello-1.0-1.src.rpm': srpm() } }] };

  it('builds once, in the root itself, and takes the packages', async () => {
    const { directory, withSource, started, logs } = await openRootBench({
      ...plain,
      build: { output: 'compiling\n', rpms: { 'hello-1.0-1.x86_64.rpm': 'binary', 'notes.txt': '' } },
    });
    const root = await withSource();

    const results = await root.build(await root.addBuildRequires(never), never);

    expect(results.rpms).toEqual(['hello-1.0-1.x86_64.rpm']);
    expect(results.srpms).toEqual(['hello-1.0-1.src.rpm']);
    expect(results.passedOver).toContain('"RPMS/notes.txt": does not end in .rpm');
    expect((await readdir(join(directory, 'results'))).sort()).toEqual([
      ...['hello-1.0-1.src.rpm', 'hello-1.0-1.x86_64.rpm'],
    ]);
    expect(started().filter((name) => name.startsWith('build'))).toEqual(['build-1']);
    expect(await readFile(join(directory, 'in/build.sh'), 'utf8')).toContain('-bb --target x86_64');
    expect(logs.texts.build).toBe('compiling\n');
    expect(logs.steps.slice(-2)).toEqual(['start rpmbuild', 'finish rpmbuild']);
  });

  it('takes the source package that the build itself has written when it has generated requirements', async () => {
    const { directory, withSource } = await openRootBench({
      sources: [{ srpms: { 'a-1-1.src.rpm': srpm(generated) } }, { code: 0 }],
      build: { rpms: { 'a-1-1.noarch.rpm': 'b' }, srpms: { 'a-1-1.src.rpm': 'written again' } },
    });
    const root = await withSource();

    const results = await root.build(await root.addBuildRequires(never), never);

    expect(results.srpms).toEqual(['a-1-1.src.rpm']);
    expect(await readFile(join(directory, 'results/a-1-1.src.rpm'), 'utf8')).toBe('written again');
    expect(await readFile(join(directory, 'in/build.sh'), 'utf8')).toContain('-ba --noprep --target x86_64');
  });

  it('does not let a package put its own source package in the place of the real one', async () => {
    const { directory, withSource } = await openRootBench({
      ...plain,
      build: {
        rpms: { 'hello-1.0-1.src.rpm': 'forged' },
        srpms: { 'hello-1.0-1.src.rpm': 'forged', 'other-1-1.src.rpm': 'forged' },
      },
    });
    const root = await withSource();

    const results = await root.build(await root.addBuildRequires(never), never);

    expect(results).toMatchObject({ rpms: [], srpms: ['hello-1.0-1.src.rpm', 'other-1-1.src.rpm'] });
    expect(await readFile(join(directory, 'results/hello-1.0-1.src.rpm'), 'utf8')).not.toBe('forged');
  });

  it('counts a nosrc package among the binary ones, as kojid does', async () => {
    const { withSource } = await openRootBench({ sources: [{ srpms: { 'a-1-1.nosrc.rpm': srpm() } }] });
    const root = await withSource();

    const results = await root.build(await root.addBuildRequires(never), never);

    expect(results).toMatchObject({ rpms: ['a-1-1.nosrc.rpm'], srpms: [] });
  });

  it('has no packages when the build has removed their directory', async () => {
    const { withSource } = await openRootBench({ ...plain, build: { gone: ['RPMS'] } });
    const root = await withSource();

    const results = await root.build(await root.addBuildRequires(never), never);

    expect(results).toMatchObject({ rpms: [], srpms: ['hello-1.0-1.src.rpm'] });
  });

  it('fails with status 40 when the build has removed all of its results', async () => {
    const { withSource } = await openRootBench({ ...plain, build: { gone: ['RPMS', 'SRPMS'] } });
    const root = await withSource();

    expect(await failureOf(root.build(await root.addBuildRequires(never), never))).toMatchObject({
      message: 'No build results found: rpmbuild exited with status 40; see root.log for more information',
    });
  });

  it('fails with status 1 when something that is no file is named like a package', async () => {
    const { withSource, logs } = await openRootBench({
      ...plain,
      build: { rpms: { 'a\nb.rpm': '', 'hello-1.0-1.x86_64.rpm': 'binary' } },
    });
    const root = await withSource();

    expect(await failureOf(root.build(await root.addBuildRequires(never), never))).toMatchObject({
      status: 1,
    });
    expect(logs.texts.root).toContain(
      'cannot take from the build\'s RPMS:\n"RPMS/a\\nb.rpm": not a file name',
    );
  });

  it.each([
    [1, 1, 'build.log or root.log'],
    [7, 7, 'root.log'],
    [40, 40, 'root.log'],
    // Killed: mock ends with the negative number of the signal.
    [137, 247, 'root.log'],
    [139, 245, 'root.log'],
  ])('ends as mock would when rpmbuild ends with %i', async (code, status, log) => {
    const { withSource, logs } = await openRootBench({ ...plain, build: { code, output: 'last words\n' } });
    const root = await withSource();

    expect(await failureOf(root.build(await root.addBuildRequires(never), never))).toMatchObject({
      status,
      message: `rpmbuild (status ${code}) exited with status ${status}; see ${log} for more information`,
    });
    const told = `last words\nrpmbuild (status ${code}) failed\n`;
    expect(logs.texts.root.endsWith(told)).toBe(log === 'root.log');
  });

  it('kills a build that takes longer than rpmbuild_timeout', async () => {
    const { clock, withSource, logs } = await openRootBench({
      ...plain,
      build: { runMs: Number.POSITIVE_INFINITY, output: 'started\n' },
    });
    const root = await withSource();
    const source = await root.addBuildRequires(never);

    const failing = failureOf(root.build(source, never));
    await clock.asleep(3_600_000);
    await clock.advance(3_600_000);

    expect(await failing).toMatchObject({ status: 11 });
    expect(logs.texts.build).toBe('started\n');
    expect(logs.texts.root).toMatch(
      /started\nrpmbuild took longer than rpmbuild_timeout allows and failed\n$/,
    );
  });

  it('lets a build take as long as it likes when rpmbuild_timeout is 0', async () => {
    const { clock, withSource } = await openRootBench(
      { ...plain, build: { runMs: 1000 } },
      { site: { rpmbuildTimeoutSeconds: 0 } },
    );
    const root = await withSource();

    const building = root.build(await root.addBuildRequires(never), never);
    await clock.asleep(1000);
    await clock.advance(1000);

    expect((await building).srpms).toEqual(['hello-1.0-1.src.rpm']);
  });

  it('builds noarch packages for noarch, in a root of its own arch', async () => {
    const { directory, withSource } = await openRootBench(plain, { request: { rpmTarget: 'noarch' } });
    const root = await withSource();

    await root.build(await root.addBuildRequires(never), never);

    for (const script of ['source-1', 'build'])
      expect(await readFile(join(directory, `in/${script}.sh`), 'utf8')).toContain('--target noarch ');
    expect(await readFile(join(directory, 'in/rpmmacros'), 'utf8')).toContain('%_host_cpu x86_64\n');
  });

  it('runs a 32-bit build as one', async () => {
    const { directory, withSource } = await openRootBench(plain, {
      request: { targetArch: 'i686', personality: 'linux32' },
    });
    const root = await withSource();

    await root.build(await root.addBuildRequires(never), never);

    for (const script of ['fetch-1', 'install-1', 'source-1', 'build'])
      expect(await readFile(join(directory, `in/${script}.sh`), 'utf8')).toContain('setarch linux32');
  });
});

describe('TagRoot.rebuildSource', () => {
  it('makes the source package in the root and takes it', async () => {
    const { directory, withSource, started } = await openRootBench({
      build: { srpms: { 'hello-1.0-1.td1.src.rpm': 'made', 'other.txt': '' } },
    });
    const root = await withSource();

    const results = await root.rebuildSource(never);

    expect(results).toMatchObject({ rpms: [], srpms: ['hello-1.0-1.td1.src.rpm'] });
    expect(started()).toEqual(['fetch-1', 'install-1', 'build-1']);
    expect(await readFile(join(directory, 'in/build.sh'), 'utf8')).toContain('rpmbuild -bs --nodeps');
    expect(await readFile(join(directory, 'results/hello-1.0-1.td1.src.rpm'), 'utf8')).toBe('made');
  });

  it('fails with status 40 and shows why when it cannot be unpacked', async () => {
    const { withSource, logs } = await openRootBench({ build: { code: 40, output: 'not installable' } });
    const root = await withSource();

    expect(await failureOf(root.rebuildSource(never))).toMatchObject({ status: 40 });
    expect(logs.texts.root).toContain('not installable');
  });
});

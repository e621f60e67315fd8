import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type RootPlay, solvedPackage } from '../../test/support/fake-root.ts';
import { failureOf, openHostBench, openRootBench } from '../../test/support/root-bench.ts';
import { toSourceRpm } from '../../test/support/source-rpm.ts';
import { packagePath } from '../cache/package-cache.ts';
import { never } from '../core/never.ts';
import { BuildrootStepFailed, BuildrootUnsupported } from './errors.ts';
import { UnusableImage } from './solve/errors.ts';
import { noPackageManager, noRpmBindings } from './steps/exit-codes.ts';

const srpm = (...requires: string[]) => toSourceRpm({ requires });
const generated = 'rpmlib(DynamicBuildRequires)';

describe('BuildEnvironment.prepare', () => {
  it('solves for the group, installs it into the root of a container, and reads what is there', async () => {
    const { directory, logs, prepare, created, started } = await openRootBench({
      solve: () => ['bash', 'rpm-build'],
    });

    const root = await prepare();

    expect(root.installed.map(({ name }) => name)).toEqual(['bash', 'rpm-build']);
    expect(created()).toEqual(['solve-1', 'root-1', 'install-1', 'list-1']);
    expect(started()).toEqual(['solve-1', 'install-1', 'list-1']);
    expect(logs.texts.root).toBe(
      'solve 1\n@build: 2 packages, 2 of them fetched (13 bytes), the others from the cache\ninstall 1\n',
    );
    expect(logs.steps).toEqual([
      ...[
        'start choose packages for @build',
        'finish choose packages for @build',
        'start install packages for @build',
        'finish install packages for @build',
      ],
    ]);
    expect(await readFile(join(directory, 'in/solve-1.sh'), 'utf8')).toContain('install @build');
    expect(await readFile(join(directory, 'in/install-1.sh'), 'utf8')).toContain('chown -Rh 1000:135');
    expect(await readFile(join(directory, 'in/rpmmacros'), 'utf8')).toContain('%_topdir /builddir/build\n');
    expect(await readFile(join(directory, 'in/dnf.conf'), 'utf8')).toContain(
      `baseurl=${pathToFileURL(join(directory, 'repo')).href}\n`,
    );
  });

  it('solves for packages in place of the group where they are named', async () => {
    const { prepare, directory, logs } = await openRootBench({}, { request: { packages: ['bash', 'sed'] } });

    await prepare();

    expect(logs.steps[0]).toBe('start choose packages for bash sed');
    expect(await readFile(join(directory, 'in/solve-1.sh'), 'utf8')).toContain(' install bash sed\n');
  });

  it('says which packages of the cache shall be installed, by their digests', async () => {
    const { bench, directory, prepare, spec } = await openRootBench({ solve: () => ['bash', 'sed'] });

    await prepare();

    const path = (name: string) => packagePath(solvedPackage(name).checksum);
    expect(JSON.parse(await readFile(join(directory, 'in/transaction-1.json'), 'utf8'))).toEqual(
      ['bash', 'sed'].map((name) => ({ action: 'install', name, path: `/adjutant/cache/${path(name)}` })),
    );
    const [sum = ''] = (await readFile(join(directory, 'in/sha256sum-1'), 'utf8')).split('\n');
    expect(sum).toBe(`${solvedPackage('bash').checksum.slice(7)}  /adjutant/cache/${path('bash')}`);
    expect(await readFile(join(bench.directory, 'cache/packages', path('sed')), 'utf8')).toBe('sed');
    expect(spec('install-1')?.mounts).toContainEqual({
      kind: 'work',
      path: 'tasks/5/packages-1',
      target: '/adjutant/cache',
      readOnly: true,
    });
  });

  it('gives each phase no more than it needs', async () => {
    const { containers, withSource, spec, draft, directory } = await openRootBench({
      builds: [{ srpms: { 'a.src.rpm': '' } }],
    });
    const root = await withSource();

    await root.build(await root.addBuildRequires(never), never);

    const {
      'solve-1': solve,
      'install-1': install,
      'build-1': build,
    } = Object.fromEntries(['solve-1', 'install-1', 'build-1'].map((name) => [name, spec(name)]));
    expect(solve).toMatchObject({
      root: { kind: 'image', image: 'localhost/image:1' },
      network: 'host',
      capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'],
      labels: { a: 'b' },
    });
    expect(solve?.mounts.map(({ kind, target }) => `${kind} ${target}`)).toEqual([
      'work /adjutant/in',
      'work /adjutant/solve',
      // The repo's URL names a directory of this host.
      `host ${directory}/repo`,
    ]);
    expect(solve?.mounts.at(-1)).toMatchObject({ source: `${directory}/repo`, readOnly: true });
    expect(install).toMatchObject({ network: 'none', user: { uid: 0, gid: 0 } });
    expect(install?.mounts).toContainEqual({
      kind: 'root',
      root: { kind: 'draft', id: 'fake-draft-1' },
      target: '/mnt/root',
      access: 'write',
    });
    expect(draft('root-1')).toMatchObject({ parent: null, labels: { a: 'b' } });
    const [committed = ''] = containers.calls.filter((call) => call.startsWith('commit '));
    const code = { network: 'none', capabilities: [], user: { uid: 1000, gid: 135 } };
    expect(build).toMatchObject({
      ...code,
      root: { kind: 'layer', on: { kind: 'kept', id: committed.replace('commit ', '') } },
      hostname: 'host.example.com',
    });
    const writable = build?.mounts.filter((mount) => !('readOnly' in mount && mount.readOnly));
    expect(writable).toEqual([]);
    expect(
      containers.created.filter(({ mounts }) => mounts.some(({ target }) => target === '/data')),
    ).toEqual([build]);
  });

  it('gives the solver what the host trusts and its proxies, and a build without network neither', async () => {
    const proxies = { http_proxy: 'http://proxy:3128', no_proxy: 'hub' };
    const network = { caBundle: 'AUTHORITIES\n', proxies };
    const { withSource, spec, directory } = await openRootBench(
      { builds: [{ srpms: { 'a.src.rpm': '' } }] },
      { network },
    );
    const root = await withSource();
    await root.addBuildRequires(never).then((source) => root.build(source, never));

    expect(spec('solve-1')?.env).toMatchObject(proxies);
    expect(await readFile(join(directory, 'in/ca-bundle.crt'), 'utf8')).toBe('AUTHORITIES\n');
    expect(await readFile(join(directory, 'in/solve-1.sh'), 'utf8')).toContain('SSL_CERT_FILE=/adjutant/in/');
    expect((await stat(join(directory, 'in/dnf.conf'))).mode & 0o777).toBe(0o600);
    for (const name of ['install-1', 'build-1']) expect(spec(name)?.env).not.toHaveProperty('http_proxy');
  });

  it('gives proxies to a build with network, below those of its tag', async () => {
    const { withSource, spec } = await openRootBench(
      { builds: [{ srpms: { 'a.src.rpm': '' } }] },
      {
        network: { proxies: { http_proxy: 'http://proxy:3128', https_proxy: 'http://proxy:3128' } },
        request: { network: 'host', extra: { 'rpm.env.http_proxy': 'http://tag' } },
      },
    );
    const root = await withSource();
    await root.addBuildRequires(never).then((source) => root.build(source, never));

    expect(spec('build-1')?.env).toMatchObject({
      http_proxy: 'http://tag',
      https_proxy: 'http://proxy:3128',
    });
  });

  it.each([1, 3, 30])('fails with status 30 when the solver ends with %i', async (code) => {
    const { prepare, created, logs } = await openRootBench({ solve: () => code });

    expect(await failureOf(prepare())).toMatchObject({
      status: 30,
      message: `choose packages for @build (status ${code}) exited with status 30; see root.log for more information`,
    });

    expect(created()).not.toContain('install-1');
    expect(logs.steps.at(-1)).toBe('finish choose packages for @build');
  });

  it('blames image and host when the solver crashes, and this host alone when its script cannot be read', async () => {
    const crashed = await openRootBench({ solve: () => 139 });
    expect(await failureOf(crashed.prepare())).toMatchObject({
      code: 'image-program-failed',
      message: expect.stringMatching(
        /^choose packages for @build was ended by signal 11 \(SIGSEGV\): .* image localhost\/image:1 /,
      ),
    });

    const installOutput = () => '/bin/bash: /adjutant/in/install-1.sh: Permission denied\n';
    const unread = await openRootBench({ install: () => 126, installOutput });
    expect(await failureOf(unread.prepare())).toMatchObject({
      code: 'step-not-begun',
      message: expect.stringMatching(
        /^install packages for @build could not begin on this host: .*Permission denied/,
      ),
    });
  });

  it('fails with status 30 when the installation fails', async () => {
    const { prepare } = await openRootBench({ install: () => 1 });

    const error = await failureOf(prepare());

    expect(error).toBeInstanceOf(BuildrootStepFailed);
    expect(error).toMatchObject({ status: 30, step: 'install packages for @build (status 1)' });
  });

  it.each([
    [94, 'rpm'],
    [95, 'rpmbuild'],
  ])('says that the tag is to blame for a root in which a build ends with %i', async (code, program) => {
    const { withSource, logs } = await openRootBench({
      builds: [{ code, output: `the root has no ${program}\n` }],
    });
    const root = await withSource();

    expect(await failureOf(root.rebuildSource(never))).toMatchObject({
      status: 30,
      message: expect.stringContaining(
        `the root has no ${program}: the tag's build group must bring it (rpm-build)`,
      ),
    });
    expect(logs.texts.root).toContain(`the root has no ${program}\n`);
  });

  it('says that the tag is to blame for a root without bash', async () => {
    const said = 'exec: "/bin/bash": OCI runtime attempted to invoke a command that was not found';
    const { withSource, logs } = await openRootBench({ builds: [{ startFail: said }] });
    const root = await withSource();

    const reason = "the root has no bash: the tag's build group must bring it";
    expect(await failureOf(root.rebuildSource(never))).toMatchObject({
      status: 30,
      message: expect.stringContaining(reason),
    });
    expect(logs.texts.root).toContain(`rpmbuild -bs: ${reason}\n`);
  });

  it('names the package that an image lacks for the installation', async () => {
    const { prepare } = await openRootBench({ install: () => noRpmBindings });

    const error = await failureOf(prepare());

    expect(error).toBeInstanceOf(UnusableImage);
    expect(error).toMatchObject({ message: expect.stringContaining('(python3-rpm)') });
  });

  it('says that the image is to blame when it has no package manager', async () => {
    const { prepare } = await openRootBench({ solve: () => noPackageManager });

    const error = await failureOf(prepare());

    expect(error).toBeInstanceOf(UnusableImage);
    expect(error).toMatchObject({
      message: expect.stringContaining('bootstrap image localhost/image:1 has neither dnf 4 nor dnf 5: '),
    });
  });

  it('leaves it to other builders when the image has not the package manager that the tag asks for', async () => {
    const extra = { 'mock.package_manager': 'dnf5' };
    const { prepare, directory } = await openRootBench(
      { solve: () => noPackageManager },
      { request: { extra } },
    );

    const error = await failureOf(prepare());

    expect(error).toBeInstanceOf(BuildrootUnsupported);
    expect(error).toMatchObject({
      message: expect.stringMatching(/mock\.package_manager is dnf5: .*localhost\/image:1 has no dnf 5 \(/),
    });
    expect(await readdir(join(directory, 'in'))).toEqual(expect.arrayContaining(['dnf5-plugins']));
    expect(await readdir(join(directory, 'in'))).not.toContain('dnf-plugins');
  });

  it('stops where it is when it is aborted, and leaves nothing behind', async () => {
    const abort = new AbortController();
    const { logs, prepare, started } = await openRootBench({}, { signal: abort.signal });
    logs.step = async () => abort.abort(new Error('cancelled'));

    await expect(prepare()).rejects.toThrow('cancelled');

    expect(started()).toEqual([]);
  });
});

describe('BuildEnvironment.build', () => {
  const srpms = { 'hello-1.0-1.src.rpm': srpm() };

  it('builds once, in a layer of its own, and takes the packages', async () => {
    const { directory, withSource, started, removed, spec, logs } = await openRootBench({
      builds: [
        { output: 'compiling\n', srpms, rpms: { 'hello-1.0-1.x86_64.rpm': 'binary', 'notes.txt': '' } },
      ],
    });
    const root = await withSource();
    const ready = await root.addBuildRequires(never);
    expect(removed(), 'before package code runs').toEqual([]);

    const results = await root.build(ready, never);

    expect(results?.rpms).toEqual(['hello-1.0-1.x86_64.rpm']);
    expect(results?.srpms).toEqual(['hello-1.0-1.src.rpm']);
    expect(results?.passedOver).toContain('"RPMS/notes.txt": does not end in .rpm');
    expect((await readdir(join(directory, 'results'))).sort()).toEqual([
      ...['hello-1.0-1.src.rpm', 'hello-1.0-1.x86_64.rpm'],
    ]);
    expect(started()).toEqual(['solve-1', 'install-1', 'list-1', 'solve-2', 'build-1']);
    expect(spec('build-1')?.command).toEqual(['/bin/bash', '/adjutant/in/build-1.sh']);
    const gone = ['solve-1', 'install-1', 'list-1', 'solve-2', 'build-1'];
    expect(removed()).toEqual(expect.arrayContaining(gone));
    const script = await readFile(join(directory, 'in/build-1.sh'), 'utf8');
    expect(script).toContain('-bs --target x86_64');
    expect(script).toContain('-bb --target x86_64');
    expect(logs.texts.build).toBe('compiling\n');
    expect(logs.steps.slice(-2)).toEqual(['start rpmbuild', 'finish rpmbuild']);
  });

  it('is given what the package is expected to ask for, without what rpm asks of itself', async () => {
    const { directory, withSource } = await openRootBench({ builds: [{ srpms }] });
    const root = await withSource(srpm('rpmlib(FileDigests)', 'gcc', 'make'));

    await root.build(await root.addBuildRequires(never), never);

    expect(await readFile(join(directory, 'in/requirements'), 'utf8')).toBe('gcc 0 \nmake 0 \n');
  });

  it('builds again when the package, made in its root, asks for something else', async () => {
    const { directory, withSource, created, removed, logs } = await openRootBench({
      solve: (attempt) => [[], ['bash'], [], ['gcc']][attempt] ?? [],
      sources: [{ srpms: { 'hello-1.0-1.src.rpm': srpm('gcc') } }],
      builds: [
        { code: 97, output: 'other requirements\n' },
        { srpms, rpms: { 'hello-1.0-1.x86_64.rpm': 'binary' } },
      ],
    });
    const root = await withSource();

    expect(await root.build(await root.addBuildRequires(never), never)).toBeNull();
    const results = await root.build(await root.addRemadeRequires(never), never);

    expect(results).toMatchObject({ rpms: ['hello-1.0-1.x86_64.rpm'], srpms: ['hello-1.0-1.src.rpm'] });
    expect(created().filter((name) => !name.startsWith('root'))).toEqual([
      ...[
        'solve-1',
        'install-1',
        'list-1',
        'solve-2',
        'build-1',
        'source-1',
        'solve-3',
        'install-2',
        'list-2',
        'source-2',
      ],
      'build-2',
    ]);
    expect(removed()).toContain('build-1');
    const script = await readFile(join(directory, 'in/build-2.sh'), 'utf8');
    expect(script).toContain('-bb --target x86_64');
    expect(script).not.toContain('-bs ');
    expect(logs.texts.root).not.toContain('status 97');
  });

  it.each([126, 127])(
    'takes %i of rpmbuild itself for a failure of the package, and not that of bash',
    async (status) => {
      const output = '/bin/bash: /adjutant/in/build-1.sh: Permission denied\n';
      const own = await openRootBench({ builds: [{ code: status + 100, output }] });
      const built = await own.withSource();
      expect(await failureOf(built.build(await built.addBuildRequires(never), never))).toMatchObject({
        status,
      });

      const host = await openRootBench({ builds: [{ code: status, output }] });
      const root = await host.withSource();
      expect(await failureOf(root.build(await root.addBuildRequires(never), never))).toMatchObject({
        code: 'step-not-begun',
        blame: 'builder',
      });
    },
  );

  it('takes 97 of rpmbuild itself for a failure', async () => {
    const { withSource } = await openRootBench({
      sources: [{ srpms }],
      builds: [{ code: 97 }],
    });
    const root = await withSource();

    expect(await failureOf(root.build(await root.addRemadeRequires(never), never))).toMatchObject({
      status: 97,
    });
  });

  it('takes the source package that the build itself has written when it has generated requirements', async () => {
    const { directory, withSource } = await openRootBench({
      sources: [
        { srpms: { 'a-1-1.src.rpm': srpm(generated) } },
        { srpms: { 'a-1-1.buildreqs.nosrc.rpm': srpm() } },
      ],
      builds: [{ rpms: { 'a-1-1.noarch.rpm': 'b' }, srpms: { 'a-1-1.src.rpm': 'written again' } }],
    });
    const root = await withSource(srpm(generated));

    const results = await root.build(await root.addBuildRequires(never), never);

    expect(results?.srpms).toEqual(['a-1-1.src.rpm']);
    expect(await readFile(join(directory, 'results/a-1-1.src.rpm'), 'utf8')).toBe('written again');
    expect(await readFile(join(directory, 'in/build-1.sh'), 'utf8')).toContain(
      '-ba --noprep --target x86_64',
    );
  });

  it('does not let a package put its own source package in the place of the one that was remade', async () => {
    const { directory, withSource } = await openRootBench({
      sources: [{ srpms }],
      builds: [
        {
          rpms: { 'hello-1.0-1.src.rpm': 'forged' },
          srpms: { 'hello-1.0-1.src.rpm': 'forged', 'other-1-1.src.rpm': 'forged' },
        },
      ],
    });
    const root = await withSource();

    const results = await root.build(await root.addRemadeRequires(never), never);

    expect(results).toMatchObject({ rpms: [], srpms: ['hello-1.0-1.src.rpm', 'other-1-1.src.rpm'] });
    expect(await readFile(join(directory, 'results/hello-1.0-1.src.rpm'), 'utf8')).not.toBe('forged');
  });

  it('lists a nosrc package among the binary ones, as kojid does', async () => {
    const { withSource } = await openRootBench({ builds: [{ srpms: { 'a-1-1.nosrc.rpm': srpm() } }] });
    const root = await withSource();

    const results = await root.build(await root.addBuildRequires(never), never);

    expect(results).toMatchObject({ rpms: ['a-1-1.nosrc.rpm'], srpms: [] });
  });

  it('has no packages when the build has removed their directory', async () => {
    const { withSource } = await openRootBench({ builds: [{ srpms, gone: ['RPMS'] }] });
    const root = await withSource();

    const results = await root.build(await root.addBuildRequires(never), never);

    expect(results).toMatchObject({ rpms: [], srpms: ['hello-1.0-1.src.rpm'] });
  });

  it('has no source package when the build has removed their directory, remade or not', async () => {
    const { withSource } = await openRootBench({
      sources: [{ srpms }],
      builds: [{ rpms: { 'a.rpm': '' }, gone: ['SRPMS'] }],
    });
    const root = await withSource();

    const results = await root.build(await root.addRemadeRequires(never), never);

    expect(results).toMatchObject({ rpms: ['a.rpm'], srpms: [] });
  });

  it('fails with status 40 when the build has removed all of its results', async () => {
    const { withSource } = await openRootBench({ builds: [{ gone: ['RPMS', 'SRPMS'] }] });
    const root = await withSource();

    expect(await failureOf(root.build(await root.addBuildRequires(never), never))).toMatchObject({
      message: 'No build results found: rpmbuild exited with status 40; see root.log for more information',
    });
  });

  it('fails with status 1 when something that is no file is named like a package', async () => {
    const { withSource, logs } = await openRootBench({
      builds: [{ rpms: { 'a\nb.rpm': '', 'hello-1.0-1.x86_64.rpm': 'binary' } }],
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
    const { withSource, logs } = await openRootBench({ builds: [{ code, output: 'last words\n' }] });
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
      builds: [{ runMs: Number.POSITIVE_INFINITY, output: 'started\n' }],
    });
    const root = await withSource();
    const source = await root.addBuildRequires(never);

    const failing = failureOf(root.build(source, never));
    await clock.asleep(3_600_000);
    await clock.advance(3_600_000);

    expect(await failing).toMatchObject({ status: 11 });
    const why = 'killed by rpmbuild_timeout after 3600 s\n';
    expect(logs.texts.build).toBe(`started\nrpmbuild: ${why}`);
    expect(logs.texts.root.endsWith(`started\nrpmbuild failed: ${why}`)).toBe(true);
  });

  it.each([
    ['memory', 1, 1, 'killed by the memory limit of 4 GiB (peak 5 GiB)'],
    ['disk', 137, 247, 'killed by the disk limit of 4 GiB (peak 5 GiB)'],
    ['disk', 0, 247, 'killed by the disk limit of 4 GiB (peak 5 GiB)'],
    ['log', 137, 247, 'killed by the log limit of 4 GiB (peak 5 GiB)'],
    ['idle', 137, 11, 'killed by the idle limit of 4294967.3 s (no output for 5368709.1 s)'],
    ['pids', 1, 1, 'stopped by the limit of 4294967296 processes (peak 5368709120)'],
  ] as const)(
    'says in logs and fault that the limit of %s ended it, with code %i',
    async (limit, code, status, why) => {
      const ranInto = { limit, allowed: 4 * 2 ** 30, peak: 5 * 2 ** 30 };
      const { withSource, logs } = await openRootBench({ builds: [{ code, ranInto, output: 'cut' }] });
      const root = await withSource();

      const failure = await failureOf(root.build(await root.addBuildRequires(never), never));

      expect(failure).toMatchObject({
        status,
        end: expect.stringMatching(/^exited with status \d+; see .*: /),
      });
      expect(failure).toHaveProperty('message', expect.stringContaining(`for more information: ${why}`));
      expect(logs.texts.build).toBe(`cut\nrpmbuild: ${why}\n`);
      expect(logs.texts.root.endsWith(` failed: ${why}\n`)).toBe(true);
    },
  );

  it.each(['memory', 'pids'] as const)(
    'is fine with a build that ran into the limit of %s and went on',
    async (limit) => {
      const ranInto = { limit, allowed: 100, peak: 100 };
      const { withSource } = await openRootBench({ builds: [{ srpms, ranInto }] });
      const root = await withSource();

      expect(await root.build(await root.addBuildRequires(never), never)).toMatchObject({ rpms: [] });
    },
  );

  it('gives the limit of idle time to what runs code of the package alone, those of disk and log to all steps', async () => {
    const codeLimits = { diskBytes: 2 ** 40, logBytes: 2 ** 40, idleMs: 3 };
    const { withSource, spec } = await openRootBench({ builds: [{ srpms }] }, { codeLimits });
    const root = await withSource();
    await root.build(await root.addBuildRequires(never), never);

    expect(spec('build-1')?.limits).toEqual({ pids: 10, ...codeLimits });
    expect(spec('install-1')?.limits).toEqual({
      pids: 10,
      diskBytes: 2 ** 40 + 8 * 2 ** 30,
      logBytes: 2 ** 40,
    });
  });

  it('lets a build take as long as it likes when rpmbuild_timeout is 0', async () => {
    const { clock, withSource } = await openRootBench(
      { builds: [{ srpms, runMs: 1000 }] },
      { site: { rpmbuildTimeoutSeconds: 0 } },
    );
    const root = await withSource();

    const building = root.build(await root.addBuildRequires(never), never);
    await clock.asleep(1000);
    await clock.advance(1000);

    expect((await building)?.srpms).toEqual(['hello-1.0-1.src.rpm']);
  });

  it('builds noarch packages for noarch, in a root of its own arch', async () => {
    const { directory, withSource } = await openRootBench(
      { builds: [{ srpms }] },
      { request: { rpmTarget: 'noarch' } },
    );
    const root = await withSource();

    await root.build(await root.addBuildRequires(never), never);

    const script = await readFile(join(directory, 'in/build-1.sh'), 'utf8');
    expect(script.match(/exec "\$0" -b[sb] --target noarch /g)).toHaveLength(2);
    expect(await readFile(join(directory, 'in/rpmmacros'), 'utf8')).toContain('%_host_cpu x86_64\n');
  });

  it('runs a 32-bit build as one', async () => {
    const { directory, withSource } = await openRootBench(
      { builds: [{ srpms }], sources: [{ srpms }] },
      {
        request: { targetArch: 'i686', personality: 'linux32' },
      },
    );
    const root = await withSource();

    await root.build(await root.addBuildRequires(never), never);
    await root.build(await root.addRemadeRequires(never), never);

    for (const script of ['solve-1', 'install-1', 'source-1', 'build-1', 'build-2'])
      expect(await readFile(join(directory, `in/${script}.sh`), 'utf8')).toContain('setarch linux32');
  });
});

describe('BuildEnvironment.rebuildSource', () => {
  it('makes the source package in the root and takes it', async () => {
    const { directory, withSource, started } = await openRootBench({
      builds: [{ srpms: { 'hello-1.0-1.td1.src.rpm': 'made', 'other.txt': '' } }],
    });
    const root = await withSource();

    const results = await root.rebuildSource(never);

    expect(results).toMatchObject({ rpms: [], srpms: ['hello-1.0-1.td1.src.rpm'] });
    expect(started()).toEqual(['solve-1', 'install-1', 'list-1', 'build-1']);
    expect(await readFile(join(directory, 'in/build-1.sh'), 'utf8')).toContain('exec "$0" -bs --nodeps');
    expect(await readFile(join(directory, 'results/hello-1.0-1.td1.src.rpm'), 'utf8')).toBe('made');
  });

  it('fails with status 40 and shows why when it cannot be unpacked', async () => {
    const { withSource, logs } = await openRootBench({ builds: [{ code: 40, output: 'not installable' }] });
    const root = await withSource();

    expect(await failureOf(root.rebuildSource(never))).toMatchObject({ status: 40 });
    expect(logs.texts.root).toContain('not installable');
  });
});

describe('the root of a failed step', () => {
  const failing: RootPlay = { builds: [{ code: 1 }] };

  it('is handed to those who keep it, with a shell as sealed as the step, and its task leaves nothing else', async () => {
    const on = await openHostBench(3_600_000);
    const { withSource, cleanup, logs, containers } = await openRootBench(failing, {
      on,
      codeLimits: { diskBytes: 1000 },
    });
    const root = await withSource();

    await expect(root.buildPackage(() => undefined, never)).rejects.toMatchObject({ status: 1 });
    await cleanup.disposeAsync();
    await on.cache.failed.idle();
    await on.removals.idle();

    const [kept] = await on.cache.failed.list();
    expect(kept).toMatchObject({
      taskId: 5,
      buildrootId: 9,
      repeat: 'rpmbuild -bb --target x86_64 --nodeps ~/build/SPECS/*.spec',
    });
    expect(kept?.shell).toMatchObject({
      capabilities: [],
      isolation: 'plain',
      network: 'none',
      user: { uid: 1000, gid: 135 },
      limits: { pids: 10 },
    });
    expect(kept?.shell.limits).not.toHaveProperty('diskBytes');
    expect(kept?.shell.mounts.map(({ target }) => target)).toEqual(['/data']);
    expect(kept?.shell.root).toMatchObject({ kind: 'visit', stays: ['/builddir', '/tmp', '/var/tmp'] });
    expect(logs.texts.root).toContain(
      'the buildroot is kept on host.example.com for 1 h: koji-adjutant shell 5\n',
    );
    const left = (await containers.list('worker', never)).map(({ owner }) => owner.phase);
    expect(left).toEqual(['build']);
    if (kept !== undefined) await on.cache.failed.remove(kept);
  });

  it('goes with its task where none is kept', async () => {
    const { withSource, cleanup, containers, bench } = await openRootBench(failing);
    const root = await withSource();

    await expect(root.buildPackage(() => undefined, never)).rejects.toMatchObject({ status: 1 });
    await cleanup.disposeAsync();
    await bench.removals.idle();

    expect(await containers.list('worker', never)).toEqual([]);
  });
});

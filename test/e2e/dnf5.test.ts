import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureTag, ensureTarget } from '../../src/devhub/hub.ts';
import type { TagRow } from '../../src/devhub/rows.ts';
import { TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { arch, describeE2e, makeSrpm, srpm, surroundings } from './surroundings.ts';

const run = promisify(execFile);
const dnf5Image = process.env['KOJI_ADJUTANT_TEST_DNF5_IMAGE'] ?? '';

/** A suite that needs an image with dnf 5. */
function describeDnf5(name: string, tests: () => void): void {
  const missing =
    'KOJI_ADJUTANT_TEST_DNF5_IMAGE is not set: scripts/test.sh makes the image where the mirror of the host has Debian forky';
  if (dnf5Image !== '') describeE2e(name, tests);
  else describe(name, () => it('needs an image with dnf 5', ({ skip }) => skip(missing)));
}

interface Rebuilt {
  readonly code: number;
  readonly stdout: string;
  /** Its files by name; logs as text. */
  log(name: string): Promise<string>;
  readonly names: readonly string[];
}

describeDnf5('koji-adjutant rebuild with dnf 5', () => {
  let directory: string;
  const distribution = () => join(surroundings().distribution, 'repo');

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
  });
  afterAll(async () => {
    await command('cache', 'trim', '--all');
    await rm(directory, { recursive: true });
  });

  async function command(...args: readonly string[]): Promise<{ code: number; stdout: string }> {
    const cli = join(import.meta.dirname, '../../src/cli.ts');
    const given = [cli, ...args, '--cache-dir', join(directory, 'cache')];
    const env = { ...process.env, KOJI_ADJUTANT_PODMAN_SOCKET: surroundings().socket };
    return run(process.execPath, given, { cwd: directory, env, maxBuffer: 2 ** 26 }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      ({ code, stdout }: { code: number; stdout: string }) => ({ code, stdout }),
    );
  }

  async function rebuild(
    image: string,
    file: string,
    result: string,
    repos: readonly string[] = [distribution()],
  ): Promise<Rebuilt> {
    const place = join(directory, result);
    const from = repos.flatMap((repo) => ['--repo', repo]);
    const options = ['--macro', 'dist=.td1', '--image', image, '--result', place, ...from];
    const ended = await command('rebuild', file, ...options);
    const log = (name: string) => readFile(join(place, name), 'utf8');
    return { ...ended, log, names: (await readdir(place)).toSorted() };
  }

  /** The root as the build has found it; rpm lists it in the order it was filled in. */
  const installed = async (rebuilt: Rebuilt) =>
    (await rebuilt.log('installed_pkgs.log')).split('\n').toSorted();
  const packages = ({ names }: Rebuilt) => names.filter((name) => name.endsWith('.rpm'));

  it.each(['hello', 'versioned-br', 'dynamic-br'])('builds %s in the root that dnf 4 makes', async (name) => {
    const four = await rebuild(surroundings().image, srpm(name), `${name}-4`);
    const five = await rebuild(dnf5Image, srpm(name), `${name}-5`);

    expect(four.code, four.stdout).toBe(0);
    expect(five.code, five.stdout).toBe(0);
    expect(await installed(five)).toEqual(await installed(four));
    expect(packages(five)).toEqual(packages(four));
    expect(five.names).toContain('dnf5.log');
    expect(five.names).not.toContain('dnf.log');
  });

  it('finds prepared what it has made', async () => {
    const again = await rebuild(dnf5Image, srpm('hello'), 'again');

    expect(again.code, again.stdout).toBe(0);
    expect((await again.log('state.log')).match(/(?<=Start: ).*/g)).toEqual(['rpmbuild']);
  });

  it.each([
    ['missing-br', 'no-such-package >= 1'],
    ['broken-br', 'nothing provides no-such-package >= 7'],
    ['dynamic-br-missing', 'no-such-dynamic-package'],
    ['badpre-br', '%prein(leaf-badpre-1-1.td1.noarch) scriptlet failed, exit status 1'],
  ])('ends %s with status 30, and root.log says why', async (name, says) => {
    const ended = await rebuild(dnf5Image, srpm(name), name);

    expect(ended.code, ended.stdout).toBe(1);
    expect(ended.stdout).toContain('exited with status 30; see root.log for more information');
    expect(await ended.log('root.log')).toContain(says);
  });

  it('says in root.log that the metadata of a repo is missing', async () => {
    const repo = join(directory, 'cut');
    await cp(join(distribution(), 'repodata'), join(repo, 'repodata'), { recursive: true });
    for (const file of await readdir(join(repo, 'repodata')))
      if (file.includes('primary')) await rm(join(repo, 'repodata', file));

    const ended = await rebuild(dnf5Image, srpm('hello'), 'from-cut', [repo]);

    expect(ended.code, ended.stdout).toBe(1);
    expect(ended.stdout).toContain('exited with status 30; see root.log for more information');
    expect(await ended.log('root.log')).toContain('primary');
  });

  it('adds groups, packages of another repo, users and what takes the place of something', async () => {
    // As the hub's merged repos, it tells of packages that lie somewhere else.
    const extra = join(directory, 'extra');
    await makeRepo(extra);
    const source = await makeSrpm(
      directory,
      'wanting',
      `BuildRequires: leaf-users, extra-tool, sealed\nBuildArch: noarch\n%description\nd\n%build\nextra-tool\n%files\n`,
    );
    const repos = [distribution(), join(extra, 'repo')];

    const four = await rebuild(surroundings().image, source, 'wanting-4', repos);
    const five = await rebuild(dnf5Image, source, 'wanting-5', repos);

    expect(four.code, four.stdout).toBe(0);
    expect(five.code, five.stdout).toBe(0);
    const lines = await installed(five);
    expect(lines).toEqual(await installed(four));
    const names = lines.map((line) => line.replace(/-[^-]+-[^-]+$/, ''));
    expect(names).toEqual(expect.arrayContaining(['extra-tool', 'leaf-users', 'sealed', 'bash']));
    expect(names).not.toContain('sealed-minimal');
    expect(await five.log('root.log')).toContain('sealed-minimal says goodbye');
    expect(await five.log('build.log')).toContain('the extra tool works');
  });
});

/** A repo `repo` whose group `build` adds packages to that of the distribution, one of which does not exist; they lie in `files`. */
async function makeRepo(directory: string): Promise<void> {
  const specs = {
    'extra-tool': {
      tags: '',
      sections: `%install
mkdir -p %{buildroot}/usr/bin
printf '#!/bin/sh\\necho the extra tool works\\n' >%{buildroot}/usr/bin/extra-tool
%files
%attr(755,root,root) /usr/bin/extra-tool
`,
    },
    'sealed-minimal': {
      tags: 'Conflicts: sealed\n',
      // Settings that lead dnf 5 to programs of the root, which must not be run where there is a network.
      sections: `%install
mkdir -p %{buildroot}/etc/dnf/libdnf5.conf.d
printf '[main]\\npluginpath=/mnt/root/opt\\nplugins=0\\n' >%{buildroot}/etc/dnf/libdnf5.conf.d/sealed.conf
%preun -p <lua>
print('sealed-minimal says goodbye')
%files
/etc/dnf/libdnf5.conf.d/sealed.conf
`,
    },
    sealed: { tags: 'Conflicts: sealed-minimal\n', sections: '%files\n' },
  };
  const files = join(directory, 'files');
  await mkdir(files, { recursive: true });
  for (const [name, { tags, sections }] of Object.entries(specs)) {
    const spec = join(directory, `${name}.spec`);
    const head = `Name: ${name}\nVersion: 1\nRelease: 1\nSummary: Test\nLicense: MIT\nBuildArch: noarch\n`;
    await writeFile(spec, `${head}${tags}%description\nd\n${sections}`);
    const defines = [`_topdir ${directory}`, `_rpmdir ${files}`].flatMap((define) => ['--define', define]);
    await run('rpmbuild', ['-bb', '--quiet', ...defines, spec]);
  }
  const comps = join(directory, 'comps.xml');
  const required = (name: string) => `<packagereq type="mandatory">${name}</packagereq>`;
  await writeFile(
    comps,
    `<?xml version="1.0"?><comps><group><id>build</id><name>build</name><packagelist>${required(
      'sealed-minimal',
    )}${required('no-such-package')}</packagelist></group></comps>`,
  );
  const base = ['--baseurl', pathToFileURL(files).href, '--outputdir', join(directory, 'repo')];
  await mkdir(join(directory, 'repo'));
  await run('createrepo_c', ['--quiet', '-g', comps, ...base, files]);
}

describeDnf5('a builder whose image has dnf 5', () => {
  let hub: DevTestHub;
  let builder: TestBuilder;

  beforeAll(async () => {
    hub = await openDevHub();
    builder = await TestBuilder.start(hub, [`task_image_default = ${dnf5Image}`]);
    await builder.ensureRepo('td1-build');
  });
  afterAll(() => builder[Symbol.asyncDispose]());

  /** A target whose build tag has the extra, on top of the distribution's. */
  const target = async (name: string, extra: TagRow['extra']) => {
    const groups = [
      { name: 'build', packages: ['bash', 'gcc', 'make', 'rpm-build', 'redhat-rpm-config'] },
      { name: 'srpm-build', packages: ['bash', 'rpm-build'] },
    ];
    const wanted = { parents: [], groups: [], extra: {} };
    const buildTag = { ...wanted, groups, name: `${name}-build`, arches: arch };
    await hub.running.change((devHub) => {
      const destination = ensureTag(devHub, { ...wanted, name, arches: null });
      ensureTarget(devHub, name, ensureTag(devHub, buildTag), destination);
    });
    await builder.ensureRepo(buildTag.name);
    await hub.running.change((devHub) => ensureTag(devHub, { ...buildTag, extra }));
    return name;
  };

  it('tells the hub of the buildroots and sends the log of dnf 5', async () => {
    const build = await builder.build(srpm('hello'));

    expect(build.fault).toBeNull();
    const { tree } = await builder.child(build, 'buildArch');
    expect(await builder.uploads(tree.id)).toContain('dnf5.log');
    const [root] = await hub.buildroots(tree.id);
    expect(root?.packages.length).toBeGreaterThan(100);
    expect(await builder.leftovers()).toEqual([]);
  });

  it('refuses a tag that asks for dnf 4, hard, and names image and package manager', async () => {
    const name = await target('dnf4-only', { 'mock.package_manager': 'dnf4' });

    const task = await builder.submit(srpm('hello'), { target: name });

    const refusals = () => hub.running.change(({ state }) => state.tables.refusals.all());
    await expect.poll(refusals, { timeout: 120_000, interval: 500 }).toHaveLength(1);
    const [refusal] = await refusals();
    expect(refusal).toMatchObject({
      soft: false,
      msg: expect.stringMatching(/mock\.package_manager is dnf4: bootstrap image .* has no dnf 4 /),
    });
    expect(refusal?.msg).toContain(dnf5Image);
    const client = await builder.login();
    await client.call('cancelTask', [task]);
    expect(await builder.leftovers()).toEqual([]);
  });
});

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TagRow } from '../../src/devhub/rows.ts';
import { TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { describeE2e, makeSrpm, srpm, surroundings } from './surroundings.ts';

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
    // One that nobody has solved against before.
    const repodata = join(await makeRepo(join(directory, 'cut')), 'repodata');
    for (const file of await readdir(repodata)) if (file.includes('primary')) await rm(join(repodata, file));

    const ended = await rebuild(dnf5Image, srpm('hello'), 'from-cut', [distribution(), dirname(repodata)]);

    expect(ended.code, ended.stdout).toBe(1);
    expect(ended.stdout).toContain('exited with status 30; see root.log for more information');
    expect(await ended.log('root.log')).toMatch(/primary[\s\S]*: have the repo made again/);
  });

  it('adds groups, packages of another repo, users and what takes the place of something', async () => {
    // As the hub's merged repos, it tells of packages that lie somewhere else.
    const extra = await makeRepo(join(directory, 'extra'));
    const source = await makeSrpm(
      directory,
      'wanting',
      `BuildRequires: leaf-users, extra-tool, sealed\nBuildArch: noarch\n%description\nd\n%build\nextra-tool\n%files\n`,
    );
    const repos = [distribution(), extra];

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

/** A repo whose group `build` adds packages to that of the distribution, one of which does not exist; they lie in a directory of their own in it. */
async function makeRepo(directory: string): Promise<string> {
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
  const repo = join(directory, 'repo');
  const files = join(repo, 'files');
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
  const places = ['--baseurl', pathToFileURL(files).href, '--outputdir', repo, files];
  await run('createrepo_c', ['--quiet', '-g', comps, ...places]);
  return repo;
}

describeDnf5('a builder of a tag with an external repo', () => {
  let hub: DevTestHub;
  let builder: TestBuilder;

  beforeAll(async () => {
    hub = await openDevHub({ externalRepo: { name: 'distribution', mergeMode: 'bare' } });
    builder = await TestBuilder.start(hub);
    await builder.ensureRepo('td1-build');
  });
  afterAll(() => builder[Symbol.asyncDispose]());

  const setExtra = (extra: TagRow['extra']) =>
    hub.running.change(({ state: { tables } }) => {
      const tag = tables.tags.find(({ name }) => name === 'td1-build');
      if (tag === undefined) throw new Error('the hub has no tag td1-build');
      tables.tags.update(tag.id, { extra: { repo_include_all: true, 'rpm.macro.dist': '.td1', ...extra } });
    });

  it('tells the hub the same of buildroots that dnf 4 and dnf 5 have solved for', async () => {
    const roots: (readonly string[])[] = [];
    for (const [manager, image, log] of [
      ['dnf4', surroundings().image, 'dnf.log'],
      ['dnf5', dnf5Image, 'dnf5.log'],
    ] as const) {
      const policy = { version: '1.0', rules: [{ type: 'default', image, pull_policy: 'never' }] };
      await setExtra({ adjutant_image_policy: policy, 'mock.package_manager': manager });

      const build = await builder.build(srpm('versioned-br'));

      expect(build.fault).toBeNull();
      const { tree } = await builder.child(build, 'buildArch');
      expect(await builder.uploads(tree.id)).toContain(log);
      expect(await builder.log(tree.id, 'mock_config.log')).toContain(
        `config_opts['package_manager'] = '${manager}'`,
      );
      const [root] = await hub.buildroots(tree.id);
      roots.push((root?.packages ?? []).map(({ nvra }) => nvra).toSorted());
    }
    const [four = [], five] = roots;
    expect(four.length).toBeGreaterThan(100);
    expect(five).toEqual(four);
    expect(await builder.leftovers()).toEqual([]);
  });

  it('refuses what asks for a package manager that the image has not, hard, and names both', async () => {
    await setExtra({ 'mock.package_manager': 'dnf5' });

    const task = await builder.submit(srpm('hello'));

    const refusals = () => hub.running.change(({ state }) => state.tables.refusals.all());
    await expect.poll(refusals, { timeout: 120_000, interval: 500 }).toHaveLength(1);
    const [refusal] = await refusals();
    expect(refusal).toMatchObject({
      soft: false,
      msg: expect.stringMatching(/mock\.package_manager is dnf5: bootstrap image .* has no dnf 5 /),
    });
    expect(refusal?.msg).toContain(surroundings().image);
    const client = await builder.login();
    await client.call('cancelTask', [task]);
    expect(await builder.leftovers()).toEqual([]);
  });
});

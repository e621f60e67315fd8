import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeE2e, makeSrpm, surroundings } from './surroundings.ts';

const run = promisify(execFile);
const group = 'same-root';

/** Why packages with what the test looks for cannot be made here, or null. */
const missing =
  ['gcc', 'createrepo_c'].find((program) => spawnSync(program, ['--version']).error !== undefined) ?? null;

/** Its scriptlet leaves, in each of these places, all that a root may hold, and a list of that. */
const things = (name: string) => `Name: ${name}
Version: 1
Release: 1
Summary: Leaves things
License: MIT
AutoReqProv: no
Requires(post): bash
%description
Its scriptlet leaves things.
%install
install -D %{_sourcedir}/tree %{buildroot}/usr/libexec/${name}/tree
mkdir -p %{buildroot}/builddir/.config %{buildroot}/tmp/.${name}-sockets
echo setting >%{buildroot}/builddir/.config/${name}.conf
%post
for place in /srv /builddir /tmp /var/tmp; do
  /usr/libexec/${name}/tree make $place/${name} || echo "cannot make $place/${name}"
  /usr/libexec/${name}/tree list $place/${name} >>/srv/${name}.list
done
%files
/usr/libexec/${name}
/builddir/.config/${name}.conf
%dir %attr(1777,root,root) /tmp/.${name}-sockets
`;

/** What the build itself and the engine write, /etc/hostname among it, is no part of the root, nor are times of places for that. */
const look = `set +x
tree=/usr/libexec/of-build/tree
$tree list -p /proc -p /sys -p /dev -p /run -p /adjutant -p /builddir -p /tmp -p /var -p /etc /.
$tree list -p /etc/hostname /etc/.
$tree list -p /builddir/build -p /builddir/.rpmmacros /builddir/.
$tree list /tmp/.
$tree list -p /var/tmp /var/.
$tree list /var/tmp/. | grep -v ' /var/tmp/rpm-tmp'
sed 's/^TREE/MADE/' /srv/*.list
rpm -V of-build && echo "VERIFIED of-build"
`;

const looks = `BuildArch: noarch
BuildRequires: of-build
%description
Looks.
%build
${look}%files
`;

const looksGenerated = `BuildArch: noarch
%description
Looks.
%generate_buildrequires
echo of-build
%build
${look}%files
`;

interface Seen {
  readonly tree: readonly string[];
  readonly made: readonly string[];
  readonly verified: boolean;
}

describeE2e('the root that a build sees', () => {
  let directory: string;
  const sources: Record<string, string> = {};
  const cacheDirs = ['one', 'other'].map((name) => () => join(directory, name));
  const [one = () => '', other = () => ''] = cacheDirs;
  let results = 0;

  beforeAll(async () => {
    if (missing !== null) return;
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    await run('gcc', [
      '-O1',
      '-o',
      join(directory, 'tree'),
      join(import.meta.dirname, '../fixtures/same-root/tree.c'),
    ]);
    await mkdir(join(directory, 'repo'));
    for (const name of ['of-group', 'of-build']) await makePackage(name);
    await writeFile(join(directory, 'comps.xml'), await comps());
    await run('createrepo_c', ['--quiet', '-g', join(directory, 'comps.xml'), join(directory, 'repo')]);
    sources['looks'] = await makeSrpm(directory, 'looks', looks);
    sources['generated'] = await makeSrpm(directory, 'looks-generated', looksGenerated);
  });
  afterAll(async () => {
    if (missing !== null) return;
    for (const cache of cacheDirs) {
      // A test that was left out has made none.
      if (existsSync(cache())) await cli('cache', 'trim', '--all', '--cache-dir', cache());
    }
    await rm(directory, { recursive: true });
  });

  async function makePackage(name: string): Promise<void> {
    const top = join(directory, name);
    await mkdir(top);
    await writeFile(join(top, `${name}.spec`), things(name));
    const defines = [
      ...[`_topdir ${top}`, `_sourcedir ${directory}`, `_rpmdir ${top}`, '_rpmfilename made.rpm'],
      ...['_build_id_links none', 'debug_package %{nil}'],
    ];
    const options = ['-bb', '--quiet', ...defines.flatMap((define) => ['--define', define])];
    await run('rpmbuild', [...options, join(top, `${name}.spec`)]);
    await rename(join(top, 'made.rpm'), join(directory, `repo/${name}.rpm`));
  }

  /** The group of all builds, and one package more. */
  async function comps(): Promise<string> {
    const text = await readFile(join(surroundings().distribution, 'repo/comps.xml'), 'utf8');
    const [build = ''] = /<group>\s*<id>build<\/id>[\s\S]*?<\/group>/.exec(text) ?? [];
    const more = '<packagereq type="mandatory">of-group</packagereq></packagelist>';
    const own = build.replace('<id>build</id>', `<id>${group}</id>`).replace('</packagelist>', more);
    return `<?xml version="1.0" encoding="UTF-8"?>\n<comps>${own}</comps>\n`;
  }

  async function cli(...words: readonly string[]): Promise<void> {
    const { socket, image } = surroundings();
    const env = {
      ...process.env,
      KOJI_ADJUTANT_PODMAN_SOCKET: socket,
      KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: image,
    };
    const program = join(import.meta.dirname, '../../src/cli.ts');
    await run(process.execPath, [program, ...words], { env, maxBuffer: 2 ** 26 });
  }

  async function seen(source: string, cache: string): Promise<Seen> {
    results += 1;
    const result = join(directory, `result-${results}`);
    const repos = [join(surroundings().distribution, 'repo'), join(directory, 'repo')];
    await cli(
      ...['rebuild', sources[source] ?? '', '--macro', 'dist=.td1', '--group', group, '--result', result],
      ...[...repos.flatMap((repo) => ['--repo', repo]), '--cache-dir', cache],
    );
    expect(await readdir(result)).toContain('build.log');
    const lines = (await readFile(join(result, 'build.log'), 'latin1')).split('\n');
    const of = (kind: string) =>
      lines.flatMap((line) => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : []));
    return { tree: of('TREE'), made: of('MADE'), verified: of('VERIFIED').length === 1 };
  }

  it('is what its packages have left, the first time, from a snapshot, and with generated requirements', async ({
    skip,
  }) => {
    if (missing !== null) skip(`${missing} is not installed`);
    const cold = await seen('looks', one());
    const warm = await seen('looks', one());
    const generated = await seen('generated', one());

    expect(cold.tree.length).toBeGreaterThan(1000);
    expect(differences(cold.tree, warm.tree)).toEqual([]);
    expect(differences(cold.tree, generated.tree)).toEqual([]);
    // As under mock, which empties the build user's home when the packages of the group are there, and never again.
    const isWiped = (line: string) => line.startsWith('/builddir/of-group');
    expect(cold.made.filter(isWiped)).toHaveLength(18);
    expect(
      differences(
        cold.made.filter((line) => !isWiped(line)),
        cold.tree,
        'missing',
      ),
    ).toEqual([]);
    expect(cold.made.filter((line) => !isWiped(line))).toHaveLength(7 * 18);
    const paths = cold.tree.map((line) => line.split(' ')[0] ?? '');
    expect(paths.filter((path) => path.startsWith('/builddir/') && path.includes('of-group'))).toEqual([]);
    expect(paths).toEqual(
      expect.arrayContaining([
        '/builddir/.config/of-build.conf',
        '/tmp/.of-build-sockets',
        '/tmp/.of-group-sockets',
      ]),
    );
    expect([cold, warm, generated].map(({ verified }) => verified)).toEqual([true, true, true]);
  });

  it('is the same with generated requirements when those are added to it for the first time', async ({
    skip,
  }) => {
    if (missing !== null) skip(`${missing} is not installed`);
    const cold = await seen('generated', other());
    const warm = await seen('generated', other());

    expect(differences(cold.tree, warm.tree)).toEqual([]);
    expect(
      differences(
        cold.made.filter((line) => !line.startsWith('/builddir/of-group')),
        cold.tree,
        'missing',
      ),
    ).toEqual([]);
  });
});

/** Lines that only one of two lists has, or only the first; some of them, if there are many. */
function differences(one: readonly string[], other: readonly string[], which: 'both' | 'missing' = 'both') {
  const [first, second] = [new Set(one), new Set(other)];
  const missing = [...first].filter((line) => !second.has(line)).map((line) => `-${line}`);
  const more =
    which === 'missing' ? [] : [...second].filter((line) => !first.has(line)).map((line) => `+${line}`);
  return [...missing, ...more].slice(0, 40);
}

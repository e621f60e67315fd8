import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './tag-root-harness.ts';

/** What a tiny package is made of, besides its name: all its files lie below `/opt/t`. */
export interface TinySpec {
  readonly version?: string;
  readonly arch?: string;
  /** Further lines of the preamble. */
  readonly tags?: readonly string[];
  /** Content by path below `/opt/t`; `name` is added to it where the content is not given. */
  readonly files?: Readonly<Record<string, string>>;
  /** Bytes in base64, by path. */
  readonly binary?: Readonly<Record<string, string>>;
  /** Commands that make further files in `$t`, and their lines for the list. */
  readonly install?: readonly string[];
  readonly list?: readonly string[];
  /** Scriptlets and triggers. */
  readonly scripts?: readonly string[];
}

/** A scriptlet in Lua, which needs nothing of the root: it notes that it has run. */
export function noting(scriptlet: string, what = scriptlet): string {
  return `%${scriptlet.split(' ')[0]} -p <lua>${scriptlet.includes(' ') ? ` ${scriptlet.slice(scriptlet.indexOf(' ') + 1)}` : ''}
local f = io.open('/opt/t/log', 'a')
f:write('%{name}-%{version} ${what} ' .. tostring(arg and arg[2]) .. '\\n')
f:close()`;
}

/** Makes a binary package in `repo`, or a source package in `directory` where it has no repo. */
export async function makePackage(directory: string, repo: string, name: string, tiny: TinySpec) {
  const { version = '1', arch = 'noarch', tags = [], files = { [name]: name }, binary = {} } = tiny;
  const { install = [], list = [], scripts = [] } = tiny;
  const spec = join(directory, `${name}-${version}.spec`);
  const all = { ...files, ...binary };
  const lines = [
    `Name: ${name}`,
    `Version: ${version}`,
    'Release: 1\nSummary: Test\nLicense: MIT',
    ...(arch === 'noarch' ? ['BuildArch: noarch'] : []),
    ...tags,
    '%global debug_package %{nil}\n%global __os_install_post %{nil}\n%global _build_id_links none',
    '%description\nd\n%install\nt=%{buildroot}/opt/t',
    ...Object.keys(all).map((path) => `mkdir -p "$(dirname "$t/${path}")"`),
    ...Object.entries(files).map(([path, content]) => `echo '${content}' >"$t/${path}"`),
    ...Object.entries(binary).map(
      ([path, base64]) => `echo ${base64} | base64 -d >"$t/${path}"; chmod 755 "$t/${path}"`,
    ),
    ...install,
    ...scripts,
    '%files',
    ...Object.keys(all).map((path) => `/opt/t/${path}`),
    ...list,
    '',
  ];
  await writeFile(spec, lines.join('\n'));
  const places = { _topdir: join(directory, 'build'), _rpmdir: repo, _srcrpmdir: repo };
  const defines = Object.entries(places).flatMap(([macro, value]) => ['--define', `${macro} ${value}`]);
  const target = arch === 'noarch' ? [] : ['--target', arch];
  await run('rpmbuild', ['-bb', '--quiet', ...target, ...defines, spec]);
}

/** Makes a source package that has these requirements; gives its path. */
export async function makeSource(directory: string, requirements: readonly string[]): Promise<string> {
  const spec = join(directory, 'wanting.spec');
  const requires = requirements.map((requirement) => `BuildRequires: ${requirement}`);
  await writeFile(
    spec,
    `Name: wanting\nVersion: 1\nRelease: 1\nSummary: Test\nLicense: MIT\nBuildArch: noarch\n${requires.join('\n')}\n%description\nd\n%files\n`,
  );
  await run('rpmbuild', ['-bs', '--quiet', '--define', `_srcrpmdir ${directory}`, spec]);
  return join(directory, 'wanting-1-1.src.rpm');
}

/** The start of a program for a 32-bit or a 64-bit x86: what rpm gives files a colour by. */
function elf(bits: 32 | 64): string {
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 'latin1');
  header.set([bits === 32 ? 1 : 2, 1, 1], 4);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(bits === 32 ? 3 : 62, 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt16LE(bits === 32 ? 52 : 64, bits === 32 ? 40 : 52);
  return header.toString('base64');
}

const kernel = (version: string): TinySpec => ({
  version,
  tags: ['Provides: installonlypkg(kernel)', `Provides: kernel-devel-uname-r = ${version}`],
  files: { [`kernels/${version}`]: version },
  scripts: [noting('post'), noting('preun')],
});

/** What the group has, and what then comes for the source package, by what the solver has to do about it. */
export const packages: readonly (readonly [name: string, TinySpec])[] = [
  ['plain', { scripts: [noting('posttrans')] }],
  // Two versions beside a third.
  ['kernel-devel', kernel('1')],
  ['kernel-devel', kernel('2')],
  ['kernel-devel', kernel('3')],
  // Excludes another one, with which it has a file in common.
  [
    'sealed-minimal',
    {
      tags: ['Epoch: 1', 'Provides: sealed-any', 'Conflicts: sealed'],
      files: { 'sealed.txt': 'minimal', 'minimal.txt': 'minimal' },
      scripts: [noting('preun'), noting('postun')],
    },
  ],
  [
    'sealed',
    {
      tags: ['Provides: sealed-any', 'Conflicts: sealed-minimal'],
      files: { 'sealed.txt': 'full' },
      scripts: [noting('pre'), noting('post')],
    },
  ],
  [
    'watcher',
    {
      tags: ['Requires: sealed-any'],
      scripts: [
        noting('triggerin -- sealed', 'triggerin'),
        noting('triggerun -- sealed-minimal', 'triggerun'),
        noting('triggerpostun -- sealed-minimal', 'triggerpostun'),
      ],
    },
  ],
  // Needs in its scriptlet what is exchanged in the same transaction.
  [
    'reader',
    {
      tags: ['Requires(post): sealed-any'],
      scripts: [
        "%post -p <lua>\nlocal f = io.open('/opt/t/log', 'a')\nfor line in io.lines('/opt/t/sealed.txt') do f:write('reader found ' .. line .. '\\n') end\nf:close()",
      ],
    },
  ],
  // An older version, once for another arch.
  ['lib', { version: '1', scripts: [noting('post'), noting('preun'), noting('postun')] }],
  ['lib', { version: '2', scripts: [noting('post'), noting('preun'), noting('postun')] }],
  ['turn', { version: '1', arch: 'x86_64' }],
  ['turn', { version: '2', files: { turn: 'turn', 'turn-2': 'only here' } }],
  // A newer version, for which another package has to go.
  ['grow', { version: '1', files: { grow: 'one', 'grow-1': 'only here' }, scripts: [noting('postun')] }],
  ['grow', { version: '2', files: { grow: 'two' }, scripts: [noting('pre'), noting('post')] }],
  ['holder', { tags: ['Requires: grow = 1'], scripts: [noting('preun')] }],
  // One that obsoletes two, one of which is needed; a file of one of them is in it now.
  ['old-a', { files: { 'old-a': 'a', taken: 'old' }, scripts: [noting('preun'), noting('postun')] }],
  ['old-b', { scripts: [noting('preun')] }],
  ['needs-old', { tags: ['Requires: old-a, old-b'], scripts: [noting('preun')] }],
  [
    'merged',
    { tags: ['Obsoletes: old-a < 2, old-b < 2'], files: { taken: 'merged' }, scripts: [noting('post')] },
  ],
  // The same file for two arches.
  ['multi', { arch: 'i686', tags: ['Provides: multi-32'], binary: { 'bin/multi': elf(32) }, files: {} }],
  ['multi', { arch: 'x86_64', tags: ['Provides: multi-64'], binary: { 'bin/multi': elf(64) }, files: {} }],
];

export const group = [
  'plain',
  'kernel-devel',
  'sealed-minimal',
  'watcher',
  'lib',
  'turn',
  'holder',
  'needs-old',
];

export const requirements = [
  ...['kernel-devel-uname-r = 1', 'kernel-devel-uname-r = 2', 'sealed', 'reader', 'lib < 2', 'turn < 2'],
  ...['grow = 2', 'merged', 'multi-32', 'multi-64'],
];

/** The repo of all of it, in `repo` below the directory; gives the path of the source package. */
export async function makeRepo(directory: string): Promise<string> {
  const repo = join(directory, 'repo');
  await mkdir(repo);
  for (const [name, tiny] of packages) await makePackage(directory, repo, name, tiny);
  const members = group.map((name) => `<packagereq type="mandatory">${name}</packagereq>`);
  const comps = `<?xml version="1.0"?>\n<comps><group><id>build</id><name>build</name><packagelist>${members.join('')}</packagelist></group></comps>\n`;
  await writeFile(join(directory, 'comps.xml'), comps);
  await run('createrepo_c', ['--quiet', '-g', join(directory, 'comps.xml'), repo]);
  return makeSource(directory, requirements);
}

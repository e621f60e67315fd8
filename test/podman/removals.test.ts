import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { collectFiles } from '../../src/buildroot/rpmbuild/collect-results.ts';
import { ResultsBudget } from '../../src/buildroot/rpmbuild/results-budget.ts';
import { never } from '../../src/core/never.ts';
import { dnf5Image, image, missing, noDnf5, openHost, openRoot, run, serve } from './tag-root-harness.ts';

/** One file is in both of the two that exclude each other, another in the first only. */
const specs = {
  plain: 'Requires: sealed-any\n%description\nd\n%files\n',
  'sealed-minimal': `Epoch: 1
Provides: sealed-any
Conflicts: sealed
%description
d
%install
mkdir -p %{buildroot}/usr/share
echo minimal | tee %{buildroot}/usr/share/sealed.txt %{buildroot}/usr/share/minimal.txt
%preun -p <lua>
print('sealed-minimal says goodbye')
%files
/usr/share/*.txt
`,
  sealed: `Provides: sealed-any
Conflicts: sealed-minimal
%description
d
%install
mkdir -p %{buildroot}/usr/share
echo full >%{buildroot}/usr/share/sealed.txt
%files
/usr/share/*.txt
`,
  wanting: 'BuildRequires: sealed\n%description\nd\n%files\n',
} as const;

const comps = `<?xml version="1.0"?>
<comps><group><id>build</id><name>build</name><packagelist>
<packagereq type="mandatory">plain</packagereq><packagereq type="mandatory">sealed-minimal</packagereq>
</packagelist></group></comps>
`;

/** Makes the packages and a repo of the binary ones in `repo`; gives the path of the source package. */
async function makePackages(directory: string): Promise<string> {
  await mkdir(join(directory, 'repo'));
  for (const [name, rest] of Object.entries(specs)) {
    const spec = join(directory, `${name}.spec`);
    const head = `Name: ${name}\nVersion: 1.0\nRelease: 1\nSummary: Test\nLicense: MIT\nBuildArch: noarch\n`;
    await writeFile(spec, head + rest);
    const defines = [`_topdir ${directory}`, `_rpmdir ${join(directory, 'repo')}`, `_srcrpmdir ${directory}`];
    const what = name === 'wanting' ? '-bs' : '-bb';
    await run('rpmbuild', [what, '--quiet', ...defines.flatMap((define) => ['--define', define]), spec]);
  }
  await writeFile(join(directory, 'comps.xml'), comps);
  await run('createrepo_c', ['--quiet', '-g', join(directory, 'comps.xml'), join(directory, 'repo')]);
  return join(directory, 'wanting-1.0-1.src.rpm');
}

describe.skipIf(missing !== '')(`a package that is in the way of a build requirement${missing}`, () => {
  it('is removed by dnf 4, and the requirement installed, as under mock', () => removes(image));

  it.skipIf(noDnf5 !== '')(`is removed by dnf 5 as well${noDnf5}`, () => removes(dnf5Image));

  async function removes(bootstrap: string): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-removals-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const source = await makePackages(directory);
    const url = `${await serve(directory)}/repo`;
    const { host, made, copyFromRoot } = openHost(directory);
    const { root, logs } = await openRoot(host, bootstrap, 1, url, directory, source);
    const names = () => root.installed.map(({ name }) => name).toSorted();
    expect(names(), logs.texts.root).toEqual(['plain', 'sealed-minimal']);

    await root.addBuildRequires(never);

    expect(names(), logs.texts.root).toEqual(['plain', 'sealed']);
    expect(logs.texts.root).toContain('sealed-minimal says goodbye');
    const tar = await copyFromRoot('/usr/share');
    const place = join(directory, 'found');
    await mkdir(place);
    expect(
      (await collectFiles(tar, place, '.txt', new ResultsBudget('a step', undefined), never)).files,
    ).toEqual(['sealed.txt']);
    expect(await readFile(join(place, 'sealed.txt'), 'utf8')).toBe('full\n');
    const { installed } = root;
    await root.addBuildRequires(never);
    expect(root.installed, 'nothing is left to be done').toBe(installed);

    const before = made.length;
    const { root: again, logs: said } = await openRoot(host, bootstrap, 2, url, directory, source);
    await again.addBuildRequires(never);

    expect(again.installed).toEqual(installed);
    expect(made.slice(before), said.texts.root).toEqual([]);
  }
});

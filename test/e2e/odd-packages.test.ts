import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { taskState } from '../../src/devhub/rows.ts';
import { TestBuilder } from './builder.ts';
import { openDevHub } from './dev-hub.ts';
import { makeOddPackage, oddPackages } from './odd-packages.ts';
import { arch, describeE2e } from './surroundings.ts';

/** How kojid with mock 6.7 ends a build: the packages it makes, or the task that fails with a fault. */
type End = { readonly rpms: readonly string[] } | { readonly fails: string; readonly with: string };

const status = (packageArch: string, code: number, log: string): End => ({
  fails: 'buildArch',
  with: `error building package (arch ${packageArch}), exited with status ${code}; see ${log} for more information`,
});
const bothLogs = 'build.log or root.log';
const failed = status('noarch', 1, bothLogs);
const unsolved = status('noarch', 30, 'root.log');
const built = (name: string): End => ({ rpms: [`${name}-1.0-1.td1.noarch.rpm`] });
const rebuilt = (text: string): End => ({ fails: 'rebuildSRPM', with: text });
const many = Array.from({ length: 60 }, (_, n) => `many-subpackages-sub${n + 1}-1.0-1.td1`);
const oddNevr = '1.0~rc1^git20240101.a+b-0.1_2+x.td1.noarch.rpm';
const longName =
  'libodd+name_with.dots-9-with-a-name-that-goes-on-and-on-and-on-because-nobody-ever-said-that-it-should-not-and-so-it-does-until-the-end-of-it';

/** One or two packages of each family; they are built with every run of the tests. */
const usual: Readonly<Record<string, End>> = {
  'dynamic-fail': status('noarch', 10, 'build.log'),
  'dynamic-state': built('dynamic-state'),
  'kill-parent': status('noarch', 247, 'root.log'),
  'many-subpackages': {
    rpms: many
      .map((name, n) => `${name}.${n % 2 === 0 ? arch : 'noarch'}.rpm`)
      .concat(`many-subpackages-1.0-1.td1.${arch}.rpm`),
  },
  'no-packages': { rpms: [] },
  'no-parse': rebuilt(`error building srpm, exited with status 1; see ${bothLogs} for more information`),
  nosource: rebuilt(`error building srpm, exited with status 1; see ${bothLogs} for more information`),
  'odd-names': { rpms: [`odd+name_with.dots-9-${oddNevr}`, `${longName}-${oddNevr}`] },
  'output-games': built('output-games'),
  'remove-results': status('noarch', 40, 'root.log'),
  'results-links': failed,
  'results-sibling': { rpms: ['alias-1.0-1.noarch.rpm', 'results-sibling-1.0-1.td1.noarch.rpm'] },
  'rich-br': built('rich-br'),
  'root-macros': { rpms: [`root-macros-1.0-1.td1.${arch}.rpm`] },
};

/** The others, for whoever changes how packages are built: with KOJI_ADJUTANT_TEST_ODD_PACKAGES=all. */
const more: Readonly<Record<string, End>> = {
  attributes: { rpms: [`attributes-1.0-1.td1.${arch}.rpm`] },
  'bad-files': failed,
  'big-results': { rpms: ['random', 'several'].map((name) => `big-results-${name}-1.0-1.td1.noarch.rpm`) },
  'build-name-fmt': built('build-name-fmt'),
  buildsubdir: built('buildsubdir'),
  'chmod-000': built('chmod-000'),
  'closed-output': failed,
  'conflict-both': unsolved,
  'conflict-br': built('conflict-br'),
  'dynamic-endless': built('dynamic-endless'),
  'dynamic-garbage': unsolved,
  'dynamic-prep-fail': status('noarch', 10, 'build.log'),
  'environment-games': built('environment-games'),
  'exclude-arch': { fails: 'build', with: 'No matching arches were found' },
  'exclusive-noarch': built('exclusive-noarch'),
  'exit-40': failed,
  'kill-shell': failed,
  'latin1-name': built('latin1-name'),
  'leaf-scriptlets': built('leaf-scriptlets'),
  'local-sockets': built('local-sockets'),
  'long-changelog': built('long-changelog'),
  'long-words': built('long-words'),
  'many-files': built('many-files'),
  'mknod-br': built('mknod-br'),
  'newline-name': failed,
  // It asks for %{_topdir}, which is another in koji's rebuildSRPM; there it fails in buildArch.
  'no-parse-arch': rebuilt(`error building srpm, exited with status 1; see ${bothLogs} for more information`),
  'noarch-elsewhere': { fails: 'build', with: 'No valid arches were found' },
  // rebuildSRPM finds the spec, mock takes the first name that ends so.
  'other-spec': failed,
  privileges: {
    rpms: ['', '-caps', '-suid'].map((part) => `privileges${part}-1.0-1.td1.${arch}.rpm`),
  },
  'remove-home': failed,
  'remove-topdir': failed,
  'results-absolute': failed,
  'results-beside': built('results-beside'),
  'results-chain': {
    rpms: ['far-1-1', 'near-1-1', 'results-chain-1.0-1.td1'].map((name) => `${name}.noarch.rpm`),
  },
  'results-directory': failed,
  'results-fifo': failed,
  // Better than kojid, which does not read what a package has closed.
  'results-readonly': built('results-readonly'),
  'results-source': { fails: 'buildArch', with: 'multiple srpm files found for task' },
  'results-text': { rpms: ['results-text-1.0-1.td1.noarch.rpm', 'text-1-1.x86_64.rpm'] },
  'results-text-noarch': { fails: 'buildArch', with: 'text-1-1.noarch.rpm: not an RPM' },
  // Better, too.
  'results-unreadable-dir': built('results-unreadable-dir'),
  rpmfilename: { rpms: [] },
  'rpmfilename-plain': { rpms: ['rpmfilename-plain.rpm'] },
  scriptlets: {
    rpms: ['', '-one', '-two'].map((part) => `scriptlets${part}-1.0-1.td1.noarch.rpm`),
  },
  'segv-shell': failed,
  'self-br': unsolved,
  'term-parent': status('noarch', 241, 'root.log'),
  topdir: rebuilt('No srpms found in the buildroot'),
  // Better, too: mock hands the name to rpm, which takes the braces for a pattern.
  'undefined-version': { rpms: ['undefined-version-%{no_such_macro}-1.td1.noarch.rpm'] },
};

describeE2e('odd packages', () => {
  let builder: TestBuilder;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    builder = await TestBuilder.start(await openDevHub());
    await builder.ensureRepo('td1-build');
  });
  afterAll(async () => {
    await builder[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  const endOf = async (name: string): Promise<End> => {
    const build = await builder.build(await makeOddPackage(directory, name));
    if (build.fault === null) {
      const children = build.tree.children.filter(({ method }) => method === 'buildArch');
      const uploads = await Promise.all(children.map(({ id }) => builder.uploads(id)));
      const rpms = uploads.flat().filter((file) => file.endsWith('.rpm') && !file.endsWith('.src.rpm'));
      return { rpms: rpms.sort() };
    }
    const failing = build.tree.children.find(({ state }) => state === taskState.FAILED);
    return { fails: failing?.method ?? 'build', with: build.fault.text };
  };

  const all = process.env['KOJI_ADJUTANT_TEST_ODD_PACKAGES'] === 'all';
  describe.concurrent('end as under kojid', () => {
    it.each(Object.entries(all ? { ...usual, ...more } : usual))('%s', async (name, end) => {
      const expected =
        'rpms' in end ? { rpms: [...end.rpms].sort() } : { ...end, with: expect.stringContaining(end.with) };

      expect(await endOf(name)).toEqual(expected);
    });
  });

  it('are all known', async () => {
    expect([...(await oddPackages())].sort()).toEqual(Object.keys({ ...usual, ...more }).sort());
  });
});

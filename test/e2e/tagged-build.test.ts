import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildState, taskState } from '../../src/devhub/rows.ts';
import { shapeOf, TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { arch, describeE2e, makeSrpm, srpm } from './surroundings.ts';

describeE2e('a build that is to be tagged', () => {
  let hub: DevTestHub;
  let builder: TestBuilder;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    hub = await openDevHub();
    builder = await TestBuilder.start(hub);
    await builder.ensureRepo('td1-build');
  });
  afterAll(async () => {
    await builder[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  const helloBuilds = () =>
    hub.running.change(({ state: { tables } }) => {
      const tag = tables.tags.find((row) => row.name === 'td1');
      const tagged = tables.tagListing.filter((row) => row.tag_id === tag?.id && row.revoke_event === null);
      return tagged.map((row) => tables.builds.mustGet(row.build_id));
    });

  it('is complete, tagged, and in its place with its logs', async () => {
    const build = await builder.build(srpm('hello'), { opts: {} });

    expect(build.fault).toBeNull();
    expect(shapeOf(build.tree, taskState)).toBe(
      `build closed (rebuildSRPM srpm closed, buildArch ${arch} closed, tagBuild tag closed)`,
    );
    expect(await helloBuilds()).toMatchObject([{ state: buildState.COMPLETE, task_id: build.tree.id }]);
    const place = join(hub.topdir, 'packages/hello/1.0/1.td1');
    expect(existsSync(join(place, arch, `hello-1.0-1.td1.${arch}.rpm`))).toBe(true);
    expect(existsSync(join(place, 'src/hello-1.0-1.td1.src.rpm'))).toBe(true);
    expect(await readdir(join(place, 'data/logs', arch))).toEqual(
      expect.arrayContaining(['build.log', 'installed_pkgs.log', 'root.log', 'state.log']),
    );
  });

  it('cannot be made again', async () => {
    const build = await builder.build(srpm('hello'), { opts: {} });

    expect(build.fault).toEqual({
      code: 1000,
      text: expect.stringMatching(/^Build already exists \(id=\d+, state=COMPLETE\)/),
    });
    expect(await helloBuilds()).toHaveLength(1);
  });

  it('is there for the next build, in a repository that was made for it', async () => {
    const spec = `BuildArch: noarch
BuildRequires: hello = 1.0-1.td1
%description
Uses what was built before.
%build
hello
%files
`;
    const build = await builder.build(await makeSrpm(directory, 'uses-hello', spec));

    expect(build.fault).toBeNull();
    const { tree } = await builder.child(build, 'buildArch');
    expect(await builder.log(tree.id, 'build.log')).toContain('Hello, buildroot.');
    const [buildroot] = await hub.buildroots(tree.id);
    expect(buildroot?.packages).toContainEqual({ nvra: `hello-1.0-1.td1.${arch}`, isUpdate: true });
  });

  it('is refused for a package that is not in the list of the tag', async () => {
    const build = await builder.build(srpm('noarch-subs'), { opts: {} });

    expect(build.fault).toEqual({ code: 1005, text: 'package noarch-subs not in list for tag td1' });
  });

  it('leaves nothing on the host', async () => {
    expect(await builder.leftovers()).toEqual([]);
  });
});

import { readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Ended, TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { ownTarget } from './own-target.ts';
import { arch, describeE2e, srpm } from './surroundings.ts';

describeE2e('a build from a repository that is damaged', () => {
  let hub: DevTestHub;
  let builder: TestBuilder;

  beforeAll(async () => {
    hub = await openDevHub();
    builder = await TestBuilder.start(hub);
    // What is read of a repository that is whole is kept.
    await builder.build(srpm('hello'));
    expect(await kept()).not.toEqual([]);
  });
  afterAll(() => builder[Symbol.asyncDispose]());

  /** The metadata that the host has kept. */
  const kept = () => readdir(join(builder.directory, 'work/adjutant/cache/metadata'));
  /** Files of the repo's metadata whose names fit. */
  const metadata = async (target: string, pattern: RegExp) => {
    const repos = join(hub.topdir, 'repos', `${target}-build`);
    const ids = (await readdir(repos)).filter((entry) => /^\d+$/.test(entry));
    const places = ids.map((id) => join(repos, id, arch, 'repodata'));
    const found = places.map(async (place) =>
      (await readdir(place)).filter((name) => pattern.test(name)).map((name) => join(place, name)),
    );
    return (await Promise.all(found)).flat();
  };

  /** The build has failed for want of a root, for this reason, in fault and root.log, with nothing left. */
  async function expectNoRoot(build: Ended, reason: RegExp): Promise<void> {
    const rebuild = await builder.child(build, 'rebuildSRPM');
    const beginning = 'could not init buildroot, exited with status 30; see root.log for more information: ';
    expect(rebuild.fault).toEqual({ code: 1012, text: expect.stringContaining(beginning) });
    const why = rebuild.fault?.text.slice(beginning.length) ?? '';
    expect(why).toMatch(reason);
    expect(await builder.log(rebuild.tree.id, 'root.log')).toContain(`\n${why}\n`);
    expect((await hub.buildroots(rebuild.tree.id)).map(({ state }) => state)).toEqual(['EXPIRED']);
    expect(await builder.leftovers()).toEqual([]);
  }

  it.each([
    ['primary metadata', /primary\.xml/, 50],
    ['repomd.xml', /^repomd\.xml$/, 300],
    ['repomd.xml, which is empty,', /^repomd\.xml$/, 0],
  ])('says which repo it is when %s is cut off, and what to do', async (what, pattern, bytes) => {
    const target = await ownTarget(hub, builder, `cut-${what.length}`);
    const cut = await metadata(target, pattern);
    expect(cut).not.toEqual([]);
    for (const path of cut) await truncate(path, bytes);
    const before = await kept();

    await expectNoRoot(
      await builder.build(srpm('hello'), { target }),
      new RegExp(
        `^the metadata of \\S+/repos/${target}-build/\\d+/${arch} cannot be read \\(.*(primary|repomd\\.xml).*\\): have the repo made again`,
      ),
    );
    expect(await kept()).toEqual(before);
  });
});

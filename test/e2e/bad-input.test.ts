import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureTag, ensureTarget } from '../../src/devhub/hub.ts';
import { repoState, type TagRow } from '../../src/devhub/rows.ts';
import { TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { arch, describeE2e, srpm } from './surroundings.ts';

describeE2e('bad input', () => {
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

  /** A target with its own build tag, which has a repository; a policy counts from then on. */
  const target = async (name: string, imagePolicy?: TagRow['extra'][string]) => {
    const wanted = { parents: [], groups: [{ name: 'build', packages: ['bash'] }], extra: {} };
    const buildTag = { ...wanted, name: `${name}-build`, arches: arch };
    await hub.running.change((devHub) => {
      const destination = ensureTag(devHub, { ...wanted, name, arches: null });
      ensureTarget(devHub, name, ensureTag(devHub, buildTag), destination);
    });
    await builder.ensureRepo(buildTag.name);
    if (imagePolicy !== undefined)
      await hub.running.change((devHub) =>
        ensureTag(devHub, { ...buildTag, extra: { adjutant_image_policy: imagePolicy } }),
      );
    return name;
  };

  describe.concurrent('fails the task with', () => {
    it('what is wrong with a file that is no package', async () => {
      const file = join(directory, 'text-1.0-1.src.rpm');
      await writeFile(file, 'This is no package.\n');

      const build = await builder.build(file);

      expect(build.fault).toEqual({
        code: 1000,
        text: expect.stringMatching(
          /^Downloaded rpm text-1\.0-1\.src\.rpm is corrupted: not an RPM: starts with 54686973/,
        ),
      });
    });

    it('the id of a repository that does not exist', async () => {
      const build = await builder.build(srpm('hello'), { opts: { scratch: true, repo_id: 4711 } });

      expect(build.fault).toEqual({ code: 1005, text: 'No such repo: 4711' });
    });

    it('the state of a repository that was deleted', async () => {
      const name = await target('deleted');
      const id = await hub.running.change(({ state: { tables } }) => {
        const tag = tables.tags.find((row) => row.name === `${name}-build`);
        const repo = tables.repos.find((row) => row.tag_id === tag?.id);
        return tables.repos.update(repo?.id ?? 0, { state: repoState.DELETED }).id;
      });

      const build = await builder.build(srpm('hello'), {
        target: name,
        opts: { scratch: true, repo_id: id },
      });

      expect(build.fault).toEqual({ code: 1005, text: `Bad repo: ${id} (DELETED)` });
    });

    it('the repository whose files are gone', async () => {
      const name = await target('gone');
      const repos = join(hub.topdir, 'repos', `${name}-build`);
      for (const id of await readdir(repos))
        await rm(join(repos, id, arch, 'repodata'), { recursive: true, force: true });

      const build = await builder.build(srpm('hello'), { target: name });

      const rebuild = await builder.child(build, 'rebuildSRPM');
      expect(rebuild.fault).toEqual({
        code: 1012,
        text: expect.stringMatching(
          /^could not init buildroot, exited with status 30; see root\.log for more information: the metadata of \S+\/repos\/gone-build\/\d+\/\S+ cannot be read \(.*repomd\.xml.*\): have the repo made again/,
        ),
      });
      expect(await builder.log(rebuild.tree.id, 'root.log')).toContain('repomd.xml');
      expect((await hub.buildroots(rebuild.tree.id)).map(({ state }) => state)).toEqual(['EXPIRED']);
    });

    it('the log to read when a group does not exist', async () => {
      const name = await target('groupless');

      const build = await builder.build(srpm('hello'), { target: name });

      const rebuild = await builder.child(build, 'rebuildSRPM');
      expect(rebuild.fault).toEqual({
        code: 1012,
        text: 'could not init buildroot, exited with status 30; see root.log for more information',
      });
      expect(await builder.log(rebuild.tree.id, 'root.log')).toContain('srpm-build');
    });

    it('the tag that has no arches', async () => {
      await hub.running.change((devHub) => {
        const wanted = { parents: [], groups: [], arches: null, extra: {} };
        const build = ensureTag(devHub, { ...wanted, name: 'archless-build' });
        ensureTarget(devHub, 'archless', build, ensureTag(devHub, { ...wanted, name: 'archless' }));
      });

      const build = await builder.build(srpm('hello'), { target: 'archless' });

      expect(build.fault).toEqual({ code: 1005, text: 'No arch list for tag: archless-build' });
    });

    it('the tag and the place in its image policy that is wrong', async () => {
      const rules = [{ type: 'default', image: 'localhost/fine' }, { type: 'default' }];
      const name = await target('bad-policy', { version: '1.0', rules });

      const build = await builder.build(srpm('hello'), { target: name });

      const rebuild = await builder.child(build, 'rebuildSRPM');
      expect(rebuild.fault?.code).toBe(1000);
      expect(rebuild.fault?.text).toMatch(/^tag bad-policy-build: .*rules\[1\]\.image/);
      expect(await hub.buildroots(rebuild.tree.id)).toEqual([]);
    });

    it('the image that is not there and may not be pulled', async () => {
      const rules = [{ type: 'default', image: 'localhost/no-such-image:1', pull_policy: 'never' }];
      const name = await target('no-image', { version: '1.0', rules });

      const build = await builder.build(srpm('hello'), { target: name });

      expect(build.fault?.code).toBe(1012);
      expect(build.fault?.text).toContain('localhost/no-such-image:1');
    });
  });

  it('refuses a task for an image whose registry cannot be reached, and says so', async () => {
    const image = 'localhost:1/nothing/listens:1';
    const rules = [{ type: 'default', image }];
    const name = await target('no-registry', { version: '1.0', rules });

    const task = await builder.submit(srpm('hello'), { target: name });

    const refusals = () => hub.running.change(({ state }) => state.tables.refusals.all());
    await expect.poll(refusals, { timeout: 120_000, interval: 500 }).toHaveLength(1);
    const [refusal] = await refusals();
    expect(refusal).toMatchObject({ soft: true, msg: expect.stringContaining(image) });
    const client = await builder.login();
    await client.call('cancelTask', [task]);
  });

  it('leaves nothing on the host', async () => {
    expect(await builder.leftovers()).toEqual([]);
  });
});

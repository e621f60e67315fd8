import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { repoState } from '../../../src/devhub/rows.ts';
import { toTinyRpm } from '../../support/tiny-rpm.ts';
import { completeBuild, type PreparedBuild, prepareBuild } from './build-files.ts';
import { buildTag, expectFault, since, target, type UseFixture, unique } from './fixture.ts';

const unknown = 999_999_999;
const RepoRow = z.looseObject({ id: z.int(), state: z.int(), create_event: z.int() });

/** Repositories: starting, finishing and asking for them (`repo_init`, `repoDone`, `kojihub/repos.py`). */
export function describeRepoRules(use: UseFixture): void {
  const done = (repo: number, data: Record<string, [string, string[]]>) =>
    use().builder.call('host.repoDone', [repo, data]);

  /** A task with one file of metadata uploaded. */
  async function uploadMetadata(name: string, content = '<repomd/>'): Promise<[string, string[]]> {
    const task = await use().openTask();
    const path = await use().upload(task, name, content);
    return [path.slice(0, path.lastIndexOf('/')), [name]];
  }

  describe('repoInit', () => {
    let build: PreparedBuild;
    beforeAll(async () => {
      build = await prepareBuild(use());
      await completeBuild(use(), build);
      await use().builder.call('host.tagBuild', [build.task, target, build.buildId]);
    });

    it(
      'lists the packages of the tag for each arch',
      since(use, [1, 34], async () => {
        const repo = await use().newRepo();
        const place = `repos/${buildTag}/${repo.id}/x86_64`;
        const path = `packages/${build.name}/1.0/1/noarch/${build.nvr}.noarch.rpm`;

        const pkglist = await use().file(`${place}/pkglist`);
        const lines = (await use().file(`${place}/rpmlist.jsonl`))?.trim().split('\n') ?? [];

        expect(pkglist?.split('\n')).toContain(`toplink/${path}`);
        expect(pkglist).not.toContain('.src.rpm');
        const rows = lines.map((line): unknown => JSON.parse(line));
        expect(rows).toContainEqual({
          id: expect.any(Number),
          name: build.name,
          version: '1.0',
          release: '1',
          epoch: null,
          arch: 'noarch',
          draft: false,
          payloadhash: expect.stringMatching(/^[0-9a-f]{32}$/),
          size: expect.any(Number),
          buildtime: 1_700_000_000,
          build_id: build.buildId,
          buildroot_id: null,
          metadata_only: false,
          extra: null,
        });
        expect(await use().file(`${place}/blocklist`)).not.toContain(build.name);
      }),
    );

    it('makes the packages reachable from the list', async () => {
      const repo = await use().newRepo();
      const path = `toplink/packages/${build.name}/1.0/1/noarch/${build.nvr}.noarch.rpm`;

      expect(await use().file(`repos/${buildTag}/${repo.id}/x86_64/${path}`)).toBeDefined();
    });

    it('writes what the repository is and its groups', async () => {
      const repo = await use().newRepo();
      const place = `repos/${buildTag}/${repo.id}`;

      const json = z.looseObject({}).parse(JSON.parse((await use().file(`${place}/repo.json`)) ?? ''));

      expect(json).toMatchObject({ id: repo.id, tag: buildTag, event_id: repo.event, with_src: false });
      expect(await use().file(`${place}/groups/comps.xml`)).toMatch(
        /<comps>[\s\S]*<id>build<\/id>[\s\S]*bash/,
      );
    });

    it(
      'can include sources',
      since(use, [1, 35], async () => {
        const repo = await use().newRepo({ src: true, nosuchoption: true });

        expect(await use().file(`repos/${buildTag}/${repo.id}/x86_64/pkglist`)).toContain(
          `${build.nvr}.src.rpm`,
        );
        expect(await use().user.call('repoInfo', [repo.id])).toMatchObject({
          opts: { src: true, debuginfo: false },
          custom_opts: { src: true },
        });
      }),
    );

    it('can keep sources apart', async () => {
      const place = `repos/${buildTag}/${(await use().newRepo({ separate_src: true })).id}`;

      expect(await use().file(`${place}/src/pkglist`)).toContain(`${build.nvr}.src.rpm`);
      expect(await use().file(`${place}/src/pkglist`)).not.toContain('.noarch.rpm');
      expect(await use().file(`${place}/x86_64/pkglist`)).not.toContain('.src.rpm');
    });

    it('leaves out debug information unless asked for it', async () => {
      const debugged = await prepareBuild(use());
      const file = `${debugged.name}-debuginfo-1.0-1.noarch.rpm`;
      const content = toTinyRpm({
        name: `${debugged.name}-debuginfo`,
        version: '1.0',
        release: '1',
        arch: 'noarch',
        sourceRpm: `${debugged.nvr}.src.rpm`,
      });
      const path = await use().upload(debugged.task, file, content);
      await use().builder.call('host.completeBuild', [
        debugged.task,
        debugged.buildId,
        debugged.srpm,
        [path],
      ]);
      await use().builder.call('host.tagBuild', [debugged.task, target, debugged.buildId]);
      const list = async (opts = {}) =>
        use().file(`repos/${buildTag}/${(await use().newRepo(opts)).id}/x86_64/pkglist`);

      expect(await list()).not.toContain(file);
      expect(await list({ debuginfo: true })).toContain(file);
    });

    it('leaves out packages that are blocked and names them', async () => {
      const blocked = await prepareBuild(use());
      await completeBuild(use(), blocked);
      await use().builder.call('host.tagBuild', [blocked.task, target, blocked.buildId]);
      await use().hub.blockPackage(target, blocked.name);
      const place = `repos/${buildTag}/${(await use().newRepo()).id}/x86_64`;

      expect(await use().file(`${place}/pkglist`)).not.toContain(blocked.nvr);
      expect((await use().file(`${place}/blocklist`))?.split('\n')).toContain(blocked.name);
    });

    it('takes the build of a package that was tagged last', async () => {
      const again = await prepareBuild(use(), build.name, '2.0');
      await completeBuild(use(), again);
      await use().builder.call('host.tagBuild', [again.task, target, again.buildId]);
      const newest = await use().file(`repos/${buildTag}/${(await use().newRepo()).id}/x86_64/pkglist`);
      await use().builder.call('host.tagBuild', [build.task, target, build.buildId, true]);
      const retagged = await use().file(`repos/${buildTag}/${(await use().newRepo()).id}/x86_64/pkglist`);

      expect(newest).toContain(again.nvr);
      expect(newest).not.toContain(build.nvr);
      expect(retagged).toContain(build.nvr);
      expect(retagged).not.toContain(again.nvr);
    });

    it('starts in INIT and remembers its task', async () => {
      const task = await use().openTask();
      const answer = await use().builder.call('host.repoInit', [buildTag], { task_id: task });
      const [id, event] = z.tuple([z.int(), z.int()]).parse(answer);

      expect(await use().user.call('repoInfo', [id], { strict: true })).toMatchObject({
        id,
        state: repoState.INIT,
        create_event: event,
        tag_name: buildTag,
        task_id: task,
        dist: false,
      });
    });

    it('can be made as of an earlier event', async () => {
      const before = z.looseObject({ id: z.int() }).parse(await use().user.call('getLastEvent')).id;
      const later = await prepareBuild(use());
      await completeBuild(use(), later);
      await use().builder.call('host.tagBuild', [later.task, target, later.buildId]);

      const answer = await use().builder.call('host.repoInit', [buildTag], { event: before });

      const [id, event] = z.tuple([z.int(), z.int()]).parse(answer);
      expect(event).toBe(before);
      expect(await use().file(`repos/${buildTag}/${id}/x86_64/pkglist`)).not.toContain(later.nvr);
      expect(await use().file(`repos/${buildTag}/${(await use().newRepo()).id}/x86_64/pkglist`)).toContain(
        later.nvr,
      );
    });

    it(
      'refuses an unknown tag and options of old',
      since(use, [1, 35], async () => {
        await expectFault(use().builder.call('host.repoInit', [unique('none')]), 1000);
        await expectFault(use().builder.call('host.repoInit', [buildTag], { with_src: true }), 1019);
      }),
    );
  });

  describe('repoDone', () => {
    it('moves the metadata in and makes the repository ready, and the latest', async () => {
      const repo = await use().newRepo();

      await done(repo.id, { x86_64: await uploadMetadata('repomd.xml', `<repomd id="${repo.id}"/>`) });

      const content = `<repomd id="${repo.id}"/>`;
      expect(await use().file(`repos/${buildTag}/${repo.id}/x86_64/repodata/repomd.xml`)).toBe(content);
      expect(await use().file(`repos/${buildTag}/latest/x86_64/repodata/repomd.xml`)).toBe(content);
      expect(await use().user.call('repoInfo', [repo.id])).toMatchObject({ state: repoState.READY });
      expect(RepoRow.parse(await use().user.call('getRepo', [buildTag])).id).toBe(repo.id);
    });

    it('accepts a repository without metadata', async () => {
      const repo = await use().newRepo();

      expect(await done(repo.id, {})).toBeNull();
    });

    it(
      'does not make a repository with special options the latest',
      since(use, [1, 35], async () => {
        const plain = await use().newRepo();
        await done(plain.id, {});
        const special = await use().newRepo({ src: true });
        await done(special.id, {});

        expect(await use().file(`repos/${buildTag}/latest/repo.json`)).toContain(`"id": ${plain.id},`);
      }),
    );

    it(
      'adds to what is written about the repository',
      since(use, [1, 34], async () => {
        const repo = await use().newRepo();

        await use().builder.call('host.repoDone', [repo.id, {}], { repo_json_updates: { note: 'x' } });

        expect(await use().file(`repos/${buildTag}/${repo.id}/repo.json`)).toContain('"note": "x"');
      }),
    );

    it('happens once', async () => {
      const repo = await use().newRepo();
      await done(repo.id, {});

      await expectFault(done(repo.id, {}), 1000);
    });

    it('refuses an unknown repository, an arch that it has not, and a missing file', async () => {
      const repo = await use().newRepo();
      const metadata = await uploadMetadata('repomd.xml');

      await expectFault(done(unknown, {}), 1000);
      await expectFault(done(repo.id, { s390x: metadata }), 1000);
      await expectFault(done(repo.id, { x86_64: [metadata[0], ['none.xml']] }), 1000);
      await expectFault(use().builder.call('host.repoDone', [repo.id, []]), 1019);
    });

    it('cannot be tried again once files have moved', async () => {
      const repo = await use().newRepo();
      const [place, names] = await uploadMetadata('repomd.xml');
      await expectFault(done(repo.id, { x86_64: [place, [...names, 'none.xml']] }), 1000);

      await expectFault(done(repo.id, { x86_64: [place, names] }), 1000);
      expect(await use().user.call('repoInfo', [repo.id])).toMatchObject({ state: repoState.INIT });
    });
  });

  describe('repoInfo', () => {
    it('gives nothing for an unknown repository, or refuses it', async () => {
      expect(await use().user.call('repoInfo', [unknown])).toBeNull();
      await expectFault(use().user.call('repoInfo', [unknown], { strict: true }), 1000);
    });
  });

  describe('repo.request', () => {
    const request = (keywords = {}) => use().user.call('repo.request', [buildTag], keywords);

    it(
      'gives a repository that is new enough',
      since(use, [1, 35], async () => {
        const repo = await use().newRepo();
        await done(repo.id, {});

        const answer = await request({ min_event: repo.event });

        expect(answer).toMatchObject({ repo: { id: repo.id }, request: null, duplicate: false });
      }),
    );

    it(
      'waits for a newer one, once for all who ask',
      since(use, [1, 35], async () => {
        const { event } = await use().newRepo();
        const first = z
          .looseObject({ request: z.looseObject({ id: z.int() }) })
          .parse(await request({ min_event: event }));
        const second = await request({ min_event: event });
        const repo = await use().newRepo();
        await done(repo.id, {});

        const answer = await use().user.call('repo.checkRequest', [first.request.id]);

        expect(first).toMatchObject({
          repo: null,
          duplicate: false,
          request: { active: true, min_event: event },
        });
        expect(second).toMatchObject({ repo: null, duplicate: true, request: { id: first.request.id } });
        expect(answer).toMatchObject({ repo: { id: repo.id }, request: { active: false, repo_id: repo.id } });
      }),
    );

    it(
      'waits for a repository of one event',
      since(use, [1, 35], async () => {
        const { event } = await use().newRepo();
        await done((await use().newRepo()).id, {});
        const asked = z
          .looseObject({ request: z.looseObject({ id: z.int() }) })
          .parse(await request({ at_event: event }));
        const made = await use().builder.call('host.repoInit', [buildTag], { event });
        const [repo] = z.tuple([z.int(), z.int()]).parse(made);
        await done(repo, {});

        const answer = await use().user.call('repo.checkRequest', [asked.request.id]);

        expect(asked).toMatchObject({ repo: null, request: { at_event: event, min_event: null } });
        expect(answer).toMatchObject({ repo: { id: repo }, request: { active: false } });
      }),
    );

    it(
      'does not give a repository with options nobody asked for',
      since(use, [1, 35], async () => {
        const repo = await use().newRepo({ src: true });
        await done(repo.id, {});

        const plain = await request({ min_event: repo.event });
        const special = await request({ min_event: repo.event, opts: { src: true } });
        await done((await use().newRepo()).id, {});

        expect(plain).toMatchObject({ repo: null });
        expect(special).toMatchObject({ repo: { id: repo.id } });
      }),
    );

    it(
      'refuses an unknown tag, an event that never was, and anybody without a login',
      since(use, [1, 35], async () => {
        await expectFault(use().user.call('repo.request', [unique('none')]), 1000);
        await expectFault(request({ min_event: unknown }), 1019);
        await expectFault(request({ min_event: 1, at_event: 1 }), 1019);
        await expectFault(use().user.call('repo.checkRequest', [unknown]), 1000);
      }),
    );
  });
}

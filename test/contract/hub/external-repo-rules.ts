import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { expectFault, since, type UseFixture, unique } from './fixture.ts';
import type { ContractExternalRepo } from './hub-under-test.ts';

const Id = z.looseObject({ id: z.int() });
const Rows = z.array(z.looseObject({ external_repo_id: z.int(), external_repo_name: z.string() }));

const repo = (name: string, more: Partial<ContractExternalRepo> = {}): ContractExternalRepo => ({
  name: `contract-${name}`,
  url: `http://localhost/contract-${name}/$arch/`,
  priority: 10,
  mergeMode: 'koji',
  arches: null,
  ...more,
});

/** External repositories of tags, and buildroots with their packages (`get_external_repo_list`, `add_external_rpm`). */
export function describeExternalRepoRules(use: UseFixture): void {
  describe('external repositories', () => {
    const tag = unique('contract-external');
    const child = `${tag}-build`;
    /** The last event before there were any, and a repository of that time. */
    let before: number;
    let oldRepo: number;

    const list = (...args: [tag: string | number, options?: { event: number }]) =>
      use().user.call('getExternalRepoList', [args[0]], args[1]);

    beforeAll(async () => {
      await use().hub.ensureTarget(tag);
      const made = await use().builder.call('host.repoInit', [child]);
      [oldRepo] = z.tuple([z.int(), z.int()]).parse(made);
      await use().builder.call('host.repoDone', [oldRepo, {}]);
      before = Id.parse(await use().user.call('getLastEvent')).id;
      const { hub } = use();
      await hub.attachExternalRepo(tag, repo('shared', { priority: 1 }));
      await hub.attachExternalRepo(tag, repo('inherited', { priority: 2 }));
      await hub.attachExternalRepo(child, repo('shared', { priority: 20, mergeMode: 'bare' }));
      await hub.attachExternalRepo(
        child,
        repo('own', { priority: 5, mergeMode: 'simple', arches: 'i386 x86_64' }),
      );
    });

    it('are those of the tag by priority, then those it inherits, each once', async () => {
      const [own, shared, inherited] = z.array(z.unknown()).parse(await list(child));
      const childId = Id.parse(await use().user.call('getTag', [child])).id;
      const tagId = Id.parse(await use().user.call('getTag', [tag])).id;

      expect(own).toEqual({
        external_repo_id: expect.any(Number),
        external_repo_name: 'contract-own',
        url: 'http://localhost/contract-own/$arch/',
        priority: 5,
        merge_mode: 'simple',
        arches: 'i386 x86_64',
        tag_id: childId,
        tag_name: child,
      });
      expect(shared).toMatchObject({
        external_repo_name: 'contract-shared',
        priority: 20,
        merge_mode: 'bare',
        tag_name: child,
      });
      expect(inherited).toMatchObject({
        external_repo_name: 'contract-inherited',
        priority: 2,
        arches: null,
        tag_id: tagId,
      });
      expect(await list(child)).toHaveLength(3);
      expect(await list(childId)).toHaveLength(3);
    });

    it('are those of an event', async () => {
      const { id: now } = Id.parse(await use().user.call('getLastEvent'));

      expect(await list(child, { event: before })).toEqual([]);
      expect(await list(child, { event: now })).toHaveLength(3);
    });

    it('are not there for a tag that is not', async () => {
      await expectFault(list(unique('none')), 1000);
    });

    it(
      'make the repositories from before out of date',
      since(use, [1, 35], async () => {
        const request = () => use().user.call('repo.request', [child], { min_event: 'last' });
        const outdated = await request();
        const made = await use().builder.call('host.repoInit', [child]);
        const [fresh] = z.tuple([z.int(), z.int()]).parse(made);
        await use().builder.call('host.repoDone', [fresh, {}]);

        expect(outdated).toMatchObject({ repo: null, request: { active: true } });
        expect(await request()).toMatchObject({ repo: { id: fresh }, request: null });
      }),
    );

    it('may be named by id as the place a package of a buildroot came from', async () => {
      const [own] = Rows.parse(await list(child));
      const task = await use().openTask();
      const keywords = { task_id: task };
      const root = z
        .int()
        .parse(await use().builder.call('host.newBuildRoot', [oldRepo, 'x86_64'], keywords));
      const rpm = (location: string | number, payloadhash: string, name: string) => ({
        name,
        version: '1',
        release: '1',
        epoch: null,
        arch: 'x86_64',
        payloadhash,
        size: 10,
        buildtime: 1_700_000_000,
        location,
      });
      const name = unique('external');
      const id = own?.external_repo_id ?? 0;
      await use().builder.call('host.setBuildRootList', [root, [rpm(id, 'a'.repeat(32), name)]]);
      await use().builder.call('host.setBuildRootState', [root, 'BUILDING']);
      const update = (location: string | number, hash: string) =>
        use().builder.call('host.updateBuildRootList', [root, [rpm(location, hash.repeat(32), name)]]);

      expect(await update('contract-own', 'a')).toBeNull();
      expect(await update('contract-inherited', 'b')).toBeNull();
      expect(await expectFault(update('contract-own', 'b'), 1000)).toContain('hash changed');
    });
  });
}

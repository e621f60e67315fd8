import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { HubClient } from '../../../src/devhub/client.ts';
import { buildrootState } from '../../../src/devhub/rows.ts';
import type { RpcValue } from '../../../src/hub/xmlrpc/codec.ts';
import { completeBuild, prepareBuild } from './build-files.ts';
import { buildTag, expectFault, target, type UseFixture, unique } from './fixture.ts';

const unknown = 999_999_999;
const externalRepo = 'contract-external';
const RpmLine = z.looseObject({
  id: z.int(),
  name: z.string(),
  version: z.string(),
  release: z.string(),
  arch: z.string(),
});
type RpmLine = z.output<typeof RpmLine>;
const Buildroots = z.array(z.looseObject({ id: z.int(), state: z.int() }));

/** Buildroots and the lists of what was in them (`kojihub.BuildRoot`). */
export function describeBuildrootRules(use: UseFixture): void {
  let repo: number;
  let task: number;
  let buildroot: number;
  /** Packages the hub has built itself. */
  let first: RpmLine;
  let second: RpmLine;

  const nvra = ({ name, version, release, arch }: RpmLine) => ({ name, version, release, arch });
  const setList = (rpms: Record<string, string | number | null>[]) =>
    use().builder.call('host.setBuildRootList', [buildroot, rpms]);
  const updateList = (rpms: Record<string, string | number | null>[]) =>
    use().builder.call('host.updateBuildRootList', [buildroot, rpms]);
  const setState = (state: string | number) =>
    use().builder.call('host.setBuildRootState', [buildroot, state]);

  async function newBuildroot(): Promise<number> {
    const answer = await use().builder.call('host.newBuildRoot', [repo, 'x86_64'], { task_id: task });
    return z.int().parse(answer);
  }

  /** Whether a package is in the list of the buildroot. */
  async function lists(rpm: number): Promise<boolean> {
    const rows = await use().user.call('listBuildroots', [], { rpmID: rpm });
    return Buildroots.parse(rows).some((row) => row.id === buildroot);
  }

  async function stateOf(id: number): Promise<number | undefined> {
    return Buildroots.parse(await use().user.call('listBuildroots', [], { buildrootID: id })).at(0)?.state;
  }

  async function listedInRepo(): Promise<RpmLine[]> {
    const list = await use().file(`repos/${buildTag}/${repo}/x86_64/rpmlist.jsonl`);
    return (list ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => RpmLine.parse(JSON.parse(line)));
  }

  /** Hubs before 1.34 leave no list of a repo's packages. */
  async function taggedBinaries(): Promise<RpmLine[]> {
    const tagged = await use().user.call('listTaggedRPMS', [target]);
    const [rpms] = z.tuple([z.array(RpmLine), z.unknown()]).parse(tagged);
    return rpms.filter(({ arch }) => arch !== 'src');
  }

  beforeAll(async () => {
    await use().hub.ensureExternalRepo(externalRepo);
    const names: string[] = [];
    for (let i = 0; i < 2; i += 1) {
      const build = await prepareBuild(use());
      await completeBuild(use(), build);
      await use().builder.call('host.tagBuild', [build.task, target, build.buildId]);
      names.push(build.name);
    }
    repo = (await use().newRepo()).id;
    const rpms = await (use().isAtLeast(1, 34) ? listedInRepo() : taggedBinaries());
    [first, second] = z.tuple([RpmLine, RpmLine]).parse(rpms.filter(({ name }) => names.includes(name)));
  });

  beforeEach(async () => {
    task = await use().openTask();
    buildroot = await newBuildroot();
  });

  describe('newBuildRoot', () => {
    it('starts in INIT and shows where it belongs', async () => {
      const host = await use().hostIdOf(use().builder);

      const rows = await use().user.call('listBuildroots', [], {
        hostID: host,
        state: [0, 1, 2],
        taskID: task,
      });

      expect(rows).toMatchObject([
        {
          id: buildroot,
          state: 0,
          task_id: task,
          host_id: host,
          repo_id: repo,
          tag_name: buildTag,
          arch: 'x86_64',
        },
      ]);
    });

    it('is for the host that has the task open', async () => {
      const theirs = await use().openTask(use().other);

      await expectFault(use().builder.call('host.newBuildRoot', [repo, 'x86_64'], { task_id: theirs }), 1004);
    });

    it('wants a repository, in whatever state, and accepts any words as arch', async () => {
      const create = (...args: [number, string]) =>
        use().builder.call('host.newBuildRoot', args, { task_id: task });

      expect(await create(repo, 'bo gus')).toEqual(expect.any(Number));
      await expectFault(create(unknown, 'x86_64'), 1);
      await expectFault(create(repo, 'x86/64'), 1000);
    });

    it('blows up without a task', async () => {
      await expectFault(use().builder.call('host.newBuildRoot', [repo, 'x86_64']), 1);
    });
  });

  describe('setBuildRootList', () => {
    it('takes packages by id, or by name, version, release and arch', async () => {
      await setList([{ ...nvra(first), id: first.id }, nvra(second)]);

      expect(await lists(first.id)).toBe(true);
      expect(await lists(second.id)).toBe(true);
    });

    it('does not look at the hash of a package it has built itself', async () => {
      await setList([{ ...nvra(first), payloadhash: '0'.repeat(32), epoch: 7 }]);

      expect(await lists(first.id)).toBe(true);
    });

    it('refuses the whole list for one unknown package', async () => {
      await expectFault(setList([nvra(first), { ...nvra(first), name: unique('none') }]), 1000);
      await expectFault(setList([{ ...nvra(first), id: unknown }]), 1000);

      expect(await lists(first.id)).toBe(false);
    });

    it('blows up when a package is in the list already', async () => {
      await setList([nvra(first)]);

      await expectFault(setList([nvra(first)]), 1);
      await expectFault(setList([nvra(second), nvra(second)]), 1);
      expect(await setList([nvra(second)])).toBeNull();
    });

    it('happens before the build', async () => {
      await setState('BUILDING');

      await expectFault(setList([nvra(first)]), 1000);
    });

    it('is for the host that has the buildroot', async () => {
      await expectFault(use().other.call('host.setBuildRootList', [buildroot, []]), 1004);
      await expectFault(use().builder.call('host.setBuildRootList', [unknown, []]), 1000);
    });

    it('is for the task that has the buildroot, when one is named', async () => {
      const another = await use().openTask();

      await expectFault(use().builder.call('host.setBuildRootList', [buildroot, [], another]), 1004);
      expect(await use().builder.call('host.setBuildRootList', [buildroot, [], task])).toBeNull();
    });
  });

  describe('external packages', () => {
    const external = (changes: Record<string, string | number | null> = {}) => ({
      name: unique('external'),
      version: '1',
      release: '1',
      epoch: null,
      arch: 'x86_64',
      payloadhash: 'a'.repeat(32),
      size: 10,
      buildtime: 1_700_000_000,
      location: externalRepo,
      ...changes,
    });

    it('become known by being listed', async () => {
      const rpm = external();

      expect(await setList([rpm])).toBeNull();
      buildroot = await newBuildroot();
      expect(await setList([rpm])).toBeNull();
    });

    it('may not change', async () => {
      const rpm = external();
      await setList([rpm]);
      buildroot = await newBuildroot();

      await expectFault(setList([{ ...rpm, payloadhash: 'b'.repeat(32) }]), 1000);
    });

    it.each(['name', 'version', 'release', 'arch', 'payloadhash', 'size', 'buildtime', 'epoch'])(
      'must have their %s',
      async (key) => {
        const rpm = Object.fromEntries(Object.entries(external()).filter(([name]) => name !== key));

        await expectFault(setList([rpm]), 1000);
      },
    );

    it('come from a repository the hub knows', async () => {
      await expectFault(setList([external({ location: unique('none') })]), 1000);
    });
  });

  describe('listRPMs', () => {
    const listed = (more: Record<string, RpcValue> = {}) =>
      use().user.call('listRPMs', [], { componentBuildrootID: buildroot, ...more });

    it('tells what a buildroot held, from where, and what came later', async () => {
      const external = { name: unique('ext'), version: '1', release: '1', arch: 'noarch', epoch: null };
      const facts = { payloadhash: '0'.repeat(32), size: 1, buildtime: 1, location: externalRepo };
      await setList([
        { ...nvra(first), id: first.id },
        { ...external, ...facts },
      ]);
      await setState('BUILDING');
      await updateList([nvra(second)]);

      const rpms = await listed();

      const internal = { external_repo_id: 0, external_repo_name: 'INTERNAL' };
      expect(rpms).toHaveLength(3);
      expect(rpms).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ ...nvra(first), ...internal, id: first.id, is_update: false }),
          expect.objectContaining({ ...external, external_repo_name: externalRepo, is_update: false }),
          expect.objectContaining({ ...nvra(second), ...internal, is_update: true }),
        ]),
      );
    });

    it('counts them', async () => {
      await setList([nvra(first), nvra(second)]);

      expect(await listed({ queryOpts: { countOnly: true } })).toBe(2);
    });

    it('finds none in a buildroot that there is not', async () => {
      expect(await listed({ componentBuildrootID: unknown })).toEqual([]);
    });

    it('asks for no login', async () => {
      await setList([nvra(first)]);

      const rpms = await new HubClient(use().hub.url).call('listRPMs', [], {
        componentBuildrootID: buildroot,
      });

      expect(rpms).toHaveLength(1);
    });
  });

  describe('updateBuildRootList', () => {
    it('adds what is new and skips what is there', async () => {
      await setList([nvra(first)]);
      await setState('BUILDING');

      await updateList([nvra(first), nvra(second)]);
      await updateList([nvra(second)]);

      expect(await lists(second.id)).toBe(true);
    });

    it('happens during the build', async () => {
      await expectFault(updateList([nvra(first)]), 1000);
      await setState('EXPIRED');
      await expectFault(updateList([nvra(first)]), 1000);
    });

    it('refuses the whole list for one unknown package', async () => {
      await setState('BUILDING');

      await expectFault(updateList([nvra(first), { ...nvra(first), name: unique('none') }]), 1000);

      expect(await lists(first.id)).toBe(false);
    });
  });

  describe('setBuildRootState', () => {
    it('takes a name or a number', async () => {
      await setState('BUILDING');
      const building = await stateOf(buildroot);
      await setState(buildrootState.EXPIRED);

      expect(building).toBe(buildrootState.BUILDING);
      expect(await stateOf(buildroot)).toBe(buildrootState.EXPIRED);
    });

    it('never goes back to INIT', async () => {
      await expectFault(setState('INIT'), 1000);
      await expectFault(setState(0), 1000);
    });

    it('blows up for a state that there is not', async () => {
      await expectFault(setState('NOSUCH'), 1);
      await expectFault(setState(9), 1);
    });

    it('ends with EXPIRED, which may be said twice', async () => {
      await setState('EXPIRED');

      expect(await setState('EXPIRED')).toBeNull();
      await expectFault(setState('BUILDING'), 1000);
    });

    it('is for the host that has the buildroot', async () => {
      await expectFault(use().other.call('host.setBuildRootState', [buildroot, 'EXPIRED']), 1004);
      await expectFault(use().builder.call('host.setBuildRootState', [unknown, 'EXPIRED']), 1000);
    });

    it('works without the task, whose end does not expire the buildroot', async () => {
      await use().admin.call('cancelTask', [task]);

      expect(await stateOf(buildroot)).toBe(buildrootState.INIT);
      await expectFault(use().builder.call('host.setBuildRootState', [buildroot, 'EXPIRED', task]), 1004);
      expect(await setState('EXPIRED')).toBeNull();
    });
  });
}

import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { buildState } from '../../../src/devhub/rows.ts';
import {
  buildData,
  completeBuild,
  type PreparedBuild,
  prepareBuild,
  toNoarchRpm,
  toSrpm,
} from './build-files.ts';
import { accounts, buildTag, expectFault, since, target, type UseFixture, unique } from './fixture.ts';

const unknown = 999_999_999;

/** Builds: their record, taking in their files, and tags (`import_build`, `new_build`, `tagBuild`). */
export function describeBuildRules(use: UseFixture): void {
  const init = (data: Record<string, string | number | null>) => use().builder.call('host.initBuild', [data]);

  describe('initBuild', () => {
    it('makes a build that is in progress', async () => {
      const task = await use().openTask();
      const name = unique('contract');

      const id = await init(buildData(name, task));

      expect(await use().user.call('getBuild', [z.int().parse(id)])).toMatchObject({
        nvr: `${name}-1.0-1`,
        state: buildState.BUILDING,
        task_id: task,
        completion_time: null,
      });
    });

    it('wants name, version, release and epoch', async () => {
      const task = await use().openTask();
      const data = buildData(unique('contract'), task);

      for (const key of ['name', 'version', 'release', 'epoch'])
        await expectFault(
          init(Object.fromEntries(Object.entries(data).filter(([name]) => name !== key))),
          1000,
        );
    });

    it('is for the host that has the task open', async () => {
      await expectFault(init(buildData(unique('contract'), await use().openTask(use().other))), 1004);
    });

    it('gives a task its build again, and another task nothing', async () => {
      const data = buildData(unique('contract'), await use().openTask());
      const first = await init(data);

      expect(await init(data)).toBe(first);
      const fault = await expectFault(init({ ...data, task_id: await use().openTask() }), 1000);
      expect(fault).toContain('already in progress');
    });

    it('takes up a build that has failed', async () => {
      const data = buildData(unique('contract'), await use().openTask());
      const first = z.int().parse(await init(data));
      await use().builder.call('host.failBuild', [data.task_id, first]);
      const failed = await use().user.call('getBuild', [first]);
      const again = { ...data, task_id: await use().openTask() };

      expect(await init(again)).toBe(first);
      expect(failed).toMatchObject({ state: buildState.FAILED });
      expect(await use().user.call('getBuild', [first])).toMatchObject({ state: buildState.BUILDING });
    });

    it('makes a build that ends with its task when that is cancelled', async () => {
      const data = buildData(unique('contract'), await use().openTask());
      const id = z.int().parse(await init(data));

      await use().admin.call('cancelTask', [data.task_id]);

      expect(await use().user.call('getBuild', [id])).toMatchObject({ state: buildState.CANCELED });
    });
  });

  describe('completeBuild', () => {
    let build: PreparedBuild;
    beforeEach(async () => {
      build = await prepareBuild(use());
    });
    const complete = (srpm: string, rpms: string[], brmap = {}, logs = {}) =>
      use().builder.call('host.completeBuild', [build.task, build.buildId, srpm, rpms, brmap, logs]);

    it('takes the files in and leaves the build complete', async () => {
      const row = await completeBuild(use(), build);

      const place = `packages/${build.name}/1.0/1`;
      expect(row).toMatchObject({ id: build.buildId, nvr: build.nvr, state: buildState.COMPLETE });
      expect(await use().file(`${place}/src/${build.nvr}.src.rpm`)).toBeDefined();
      expect(await use().file(`${place}/noarch/${build.nvr}.noarch.rpm`)).toBeDefined();
      expect(await use().file(`${place}/data/logs/noarch/build.log`)).toBe('made\n');
    });

    it(
      'leaves links where the files were, which cannot be uploaded to',
      since(use, 'head', async () => {
        await completeBuild(use(), build);

        expect(await use().file(`work/${build.log}`)).toBe('made\n');
        expect(await expectFault(use().upload(build.task, 'build.log', 'again'), 1000)).toContain('symlink');
      }),
    );

    it('happens once, and only while the build is in progress', async () => {
      await completeBuild(use(), build);

      expect(await expectFault(completeBuild(use(), build), 1000)).toContain('state is COMPLETE');
      await expectFault(use().builder.call('host.failBuild', [build.task, build.buildId]), 1000);
      expect(await expectFault(init(buildData(build.name, build.task)), 1000)).toContain('already exists');
    });

    it('is for the host that has the task open', async () => {
      const args = [await use().openTask(use().other), build.buildId, build.srpm, [build.rpm]];

      await expectFault(use().builder.call('host.completeBuild', args), 1004);
    });

    it('is for the task that the build belongs to', async () => {
      const args = [await use().openTask(), build.buildId, build.srpm, [build.rpm]];

      await expectFault(use().builder.call('host.completeBuild', args), 1000);
    });

    it('refuses a file that is missing before it touches any', async () => {
      await expectFault(complete(build.srpm, [build.rpm, `${build.rpm}.none`]), 1000);

      expect(await completeBuild(use(), build)).toMatchObject({ state: buildState.COMPLETE });
    });

    it('refuses a buildroot that does not exist', async () => {
      await expectFault(complete(build.srpm, [build.rpm], { [build.rpm]: unknown }), 1000);
    });

    it('refuses a binary package as source', async () => {
      await expectFault(complete(build.rpm, []), 1000);
    });

    it('refuses the source of another version', async () => {
      const srpm = await use().upload(build.task, `${build.name}-2.0-1.src.rpm`, toSrpm(build.name, '2.0'));

      await expectFault(complete(srpm, [build.rpm]), 1000);
    });

    it('refuses a package under a wrong name', async () => {
      const rpm = await use().upload(build.task, 'other-1.0-1.noarch.rpm', toNoarchRpm(build.name));

      await expectFault(complete(build.srpm, [rpm]), 1000);
    });

    it('refuses a package of another source', async () => {
      const name = unique('contract');
      const rpm = await use().upload(build.task, `${name}-1.0-1.noarch.rpm`, toNoarchRpm(name));

      await expectFault(complete(build.srpm, [rpm]), 1000);
    });

    it('cannot be tried again once files have moved', async () => {
      const stranger = unique('contract');
      const bad = await use().upload(build.task, `${stranger}-1.0-1.noarch.rpm`, toNoarchRpm(stranger));
      await expectFault(complete(build.srpm, [build.rpm, bad]), 1000);

      expect(await use().user.call('getBuild', [build.buildId])).toMatchObject({
        state: buildState.BUILDING,
      });
      expect(await expectFault(complete(build.srpm, [build.rpm]), 1000)).toContain('already exists');
    });

    it('keeps the first of noarch packages that are the same', async () => {
      const twin = await use().openTask();
      const second = await use().upload(twin, `${build.nvr}.noarch.rpm`, toNoarchRpm(build.name));

      expect(await complete(build.srpm, [build.rpm, second])).toMatchObject({ state: buildState.COMPLETE });
    });

    it('refuses noarch packages that differ between arches', async () => {
      const twin = await use().openTask();
      const second = await use().upload(
        twin,
        `${build.nvr}.noarch.rpm`,
        toNoarchRpm(build.name, 'Another summary'),
      );

      await expectFault(complete(build.srpm, [build.rpm, second]), 1005);
    });

    it('refuses a log that is missing', async () => {
      await expectFault(complete(build.srpm, [build.rpm], {}, { noarch: [`${build.log}.none`] }), 1000);
    });
  });

  describe('moveBuildToScratch', () => {
    it('moves files and logs below scratch/<owner>/task_<id>', async () => {
      const build = await prepareBuild(use());
      const logs = { noarch: [build.log] };

      await use().builder.call('host.moveBuildToScratch', [build.task, build.srpm, [build.rpm]], { logs });

      const place = `scratch/${use().hub.admin.name}/task_${build.task}`;
      expect(await use().file(`${place}/${build.nvr}.src.rpm`)).toBeDefined();
      expect(await use().file(`${place}/${build.nvr}.noarch.rpm`)).toBeDefined();
      expect(await use().file(`${place}/logs/noarch/build.log`)).toBe('made\n');
      expect(await use().file(`work/${build.log}`)).toBe('made\n');
    });

    it('refuses files that are missing, and other hosts', async () => {
      const build = await prepareBuild(use());
      const theirs = await use().openTask(use().other);

      await expectFault(
        use().builder.call('host.moveBuildToScratch', [build.task, build.srpm, ['none.rpm']]),
        1000,
      );
      await expectFault(
        use().builder.call('host.moveBuildToScratch', [theirs, build.srpm, [build.rpm]]),
        1004,
      );
    });

    it('happens once', async () => {
      const build = await prepareBuild(use());
      const move = () => use().builder.call('host.moveBuildToScratch', [build.task, build.srpm, [build.rpm]]);
      await move();

      await expectFault(move(), 1000);
    });
  });

  describe('tagBuild', () => {
    it('tags a complete build once', async () => {
      const build = await prepareBuild(use());
      await completeBuild(use(), build);
      const tag = () => use().builder.call('host.tagBuild', [build.task, target, build.buildId]);

      expect(await tag()).toBeNull();
      await expectFault(tag(), 1003);
    });

    it('tags it again by force', async () => {
      const build = await prepareBuild(use());
      await completeBuild(use(), build);
      const tag = (force: boolean) =>
        use().builder.call('host.tagBuild', [build.task, target, build.buildId, force]);
      await tag(false);

      expect(await tag(true)).toBeNull();
    });

    it('moves a build between tags, if it is in the first', async () => {
      const build = await prepareBuild(use());
      await completeBuild(use(), build);
      const move = (to: string, from?: string) =>
        use().builder.call('host.tagBuild', [build.task, to, build.buildId, false, from ?? null]);
      await move(target);

      expect(await move(buildTag, target)).toBeNull();
      await expectFault(move(buildTag, target), 1003);
      expect(await move(target)).toBeNull();
    });

    it('refuses a package that is blocked in the tag', async () => {
      const build = await prepareBuild(use());
      await completeBuild(use(), build);
      await use().hub.blockPackage(target, build.name);

      await expectFault(use().builder.call('host.tagBuild', [build.task, target, build.buildId]), 1003);
    });

    it('refuses a build that is not complete', async () => {
      const build = await prepareBuild(use());

      await expectFault(use().builder.call('host.tagBuild', [build.task, target, build.buildId]), 1003);
    });

    it('refuses a package that is not in the list of the tag', async () => {
      const task = await use().openTask();
      const id = z.int().parse(await init(buildData(unique('contract'), task)));

      await expectFault(use().builder.call('host.tagBuild', [task, target, id]), 1003);
    });

    it('refuses what does not exist', async () => {
      const task = await use().openTask();

      await expectFault(use().builder.call('host.tagBuild', [task, target, unknown]), 1000);
    });

    it('is followed by a notification that asks nothing', async () => {
      const build = await prepareBuild(use());

      const args = [true, target, null, build.buildId, null, false];

      expect(await use().builder.call('host.tagNotification', args)).toBeNull();
    });
  });

  describe('what is known of builds, packages and tags', () => {
    it('gives nothing for a build that does not exist, or refuses it', async () => {
      expect(await use().user.call('getBuild', [unknown])).toBeNull();
      expect(await use().user.call('getBuild', [{ name: 'no', version: '1', release: '1' }])).toBeNull();
      await expectFault(use().user.call('getBuild', [unknown], { strict: true }), 1000);
    });

    it('finds a build by its NVR', async () => {
      const build = await prepareBuild(use());

      expect(await use().user.call('getBuild', [build.nvr])).toMatchObject({ id: build.buildId });
    });

    it('knows how long builds of a package take, once there is one', async () => {
      const build = await prepareBuild(use());
      const average = () => use().user.call('getAverageBuildDuration', [build.name], { age: 6 });
      const before = await average();
      await completeBuild(use(), build);

      expect(before).toBeNull();
      expect(await average()).toEqual(expect.any(Number));
    });

    it('gives the settings of a package in a tag, inherited ones too', async () => {
      const build = await prepareBuild(use());
      const config = { package_name: build.name, tag_name: target, blocked: false };

      expect(await use().user.call('getPackageConfig', [target, build.name])).toMatchObject(config);
      expect(await use().user.call('getPackageConfig', [buildTag, build.name])).toMatchObject(config);
      expect(await use().user.call('getPackageConfig', [target, unique('none')])).toBeNull();
    });

    it('gives tags and targets, or nothing', async () => {
      expect(await use().user.call('getTag', [buildTag])).toMatchObject({
        name: buildTag,
        arches: 'x86_64',
        extra: {},
      });
      expect(await use().user.call('getTag', [unique('none')])).toBeNull();
      await expectFault(use().user.call('getTag', [unique('none')], { strict: true }), 1000);
      expect(await use().user.call('getBuildTarget', [target])).toMatchObject({
        build_tag_name: buildTag,
        dest_tag_name: target,
      });
      expect(await use().user.call('getBuildTarget', [unique('none')])).toBeNull();
      await expectFault(use().user.call('getBuildTarget', [unique('none')], { strict: true }), 1000);
    });

    it('gives the build configuration and the inheritance of a tag', async () => {
      const config = await use().user.call('getBuildConfig', [buildTag]);
      const links = await use().user.call('getFullInheritance', [buildTag]);

      expect(config).toMatchObject({ name: buildTag, config_inheritance: { arches: null, extra: {} } });
      expect(links).toMatchObject([{ name: target, priority: 0, currdepth: 1, maxdepth: null, filter: [] }]);
      expect(await use().user.call('getExternalRepoList', [buildTag])).toEqual([]);
      await expectFault(use().user.call('getBuildConfig', [unique('none')]), 1000);
    });
  });

  describe('assertPolicy', () => {
    it('lets a build from a source package pass', async () => {
      const data = { user_id: accounts.user.name, source: 'x.src.rpm', build_tag: buildTag, scratch: true };

      expect(await use().builder.call('host.assertPolicy', ['build_rpm', data])).toBeNull();
    });

    it('refuses what a policy denies', async () => {
      await expectFault(
        use().builder.call('host.assertPolicy', ['vm', { user_id: accounts.user.name }]),
        1004,
      );
    });
  });
}

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { buildState } from '../../../src/devhub/rows.ts';
import { buildData, completeBuild, prepareBuild } from './build-files.ts';
import { accounts, expectFault, type Fixture, target, type UseFixture, unique } from './fixture.ts';

const unknown = 999_999_999;
const Identified = z.looseObject({ id: z.int() });

/** What mails are made from, and the tasks that send them (`build_notification`, `tag_notification`). */
export function describeNotificationRules(use: UseFixture): void {
  describeReports(use);

  describe('tasks for mails', () => {
    const newBuild = () => startBuild(use());
    /** The tasks of a method that are about one build, by the place of its id among their parameters. */
    const mailsAbout = async (method: 'buildNotification' | 'tagNotification', buildId: number) => {
      const tasks = await use().hub.tasksOf(method);
      const about = (request: readonly unknown[]) =>
        method === 'tagNotification' ? request[4] : Identified.parse(request[1]).id;
      const found = tasks.filter(({ request }) => about(request) === buildId);
      use().adopt(found.map(({ id }) => id));
      return found;
    };
    const addresses = (...names: readonly string[]) =>
      expect.toSatisfy(
        (value) =>
          Array.isArray(value) &&
          value
            .map((address) => String(address).split('@')[0])
            .toSorted()
            .join() === names.toSorted().join(),
      );

    it('are not made where the hub has mail switched off', async ({ skip }) => {
      if (use().hub.notifies) skip('this hub makes them');
      const { task, buildId } = await newBuild();
      await use().builder.call('host.failBuild', [task, buildId]);
      await use().builder.call('host.tagNotification', [true, target, null, buildId, null]);

      expect(await mailsAbout('buildNotification', buildId)).toEqual([]);
      expect(await mailsAbout('tagNotification', buildId)).toEqual([]);
    });

    describe('where the hub has mail', () => {
      it('are made when a build is complete, for its submitter and the owner of its package', async ({
        skip,
      }) => {
        if (!use().hub.notifies) skip('this hub has mail switched off');
        const build = await newBuild();
        await completeBuild(use(), build);

        const [mail, ...more] = await mailsAbout('buildNotification', build.buildId);

        const known = z.looseObject({}).parse(await use().user.call('getBuild', [build.buildId]));
        const shortTime = expect.stringMatching(/^\d{8}T\d\d:\d\d:\d\d$/);
        expect(more).toEqual([]);
        expect(mail).toMatchObject({ parent: null, label: null, arch: 'noarch' });
        expect(mail?.request).toEqual([
          addresses(accounts.user.name, use().hub.admin.name),
          { ...known, creation_time: shortTime, start_time: shortTime, completion_time: shortTime },
          await use().user.call('getBuildTarget', [target]),
          expect.stringMatching(/^https?:/),
        ]);
        expect(mail?.request[1]).toMatchObject({ state: buildState.COMPLETE });
        const { user_id } = z.object({ user_id: z.int() }).parse(await use().builder.call('host.getHost'));
        expect(mail?.owner).toBe(user_id);
      });

      it('are made when a build fails or is cancelled; then they belong to whoever did it', async ({
        skip,
      }) => {
        if (!use().hub.notifies) skip('this hub has mail switched off');
        const [failed, canceled] = [await newBuild(), await newBuild()];
        await use().builder.call('host.failBuild', [failed.task, failed.buildId]);
        await use().user.call('cancelTask', [canceled.task]);

        const [ofFailed] = await mailsAbout('buildNotification', failed.buildId);
        const [ofCanceled] = await mailsAbout('buildNotification', canceled.buildId);

        expect(ofFailed?.request[1]).toMatchObject({ state: buildState.FAILED });
        expect(ofCanceled?.request[1]).toMatchObject({ state: buildState.CANCELED });
        expect(ofCanceled?.owner).toBe(Identified.parse(await use().user.call('getUser')).id);
      });

      it('know no target of a task that is no build', async ({ skip }) => {
        if (!use().hub.notifies) skip('this hub has mail switched off');
        const { task, buildId } = await prepareBuild(use());
        await use().builder.call('host.failBuild', [task, buildId]);

        const [mail] = await mailsAbout('buildNotification', buildId);

        expect(mail?.request[2]).toBeNull();
        expect(mail?.request[0]).toEqual(addresses(use().hub.admin.name));
      });

      it('are made of tags, with the words of the builder', async ({ skip }) => {
        if (!use().hub.notifies) skip('this hub has mail switched off');
        const { buildId } = await newBuild();
        const { id } = Identified.parse(await use().user.call('getUser'));
        const tell = (...params: (string | number | boolean | null)[]) =>
          use().builder.call('host.tagNotification', params);
        await tell(true, target, null, buildId, id);
        await tell(false, target, null, buildId, id, true, 'no way');
        // Nobody is told of these.
        await tell(true, target, null, buildId, id, true);
        await tell(true, null, null, buildId, id);
        await tell(true, target, null, unknown, id);

        const mails = await mailsAbout('tagNotification', buildId);

        const people = addresses(accounts.user.name, use().hub.admin.name);
        expect(mails.toSorted((a, b) => a.id - b.id).map(({ request }) => request)).toEqual([
          [people, true, target, null, buildId, id, false, ''],
          [people, false, target, null, buildId, id, true, 'no way'],
        ]);
      });
    });
  });
}

/** A build that somebody who owns nothing else has asked for, with its files uploaded. */
async function startBuild(fixture: Fixture) {
  const task = await fixture.newBuildTask(fixture.user);
  expect(await fixture.builder.call('host.openTask', [task])).not.toBeNull();
  return prepareBuild(fixture, unique('contract'), '1.0', task);
}

function describeReports(use: UseFixture): void {
  describe('getTaskDescendents', () => {
    it('gives the children of every task below one, by id', async () => {
      const parent = await use().openTask();
      const [first, second] = [await use().subtask(parent), await use().subtask(parent)];
      await use().builder.call('host.openTask', [first]);
      const grandchild = await use().subtask(first);

      const tree = await use().user.call('getTaskDescendents', [parent], { request: true });

      const task = (id: number) => expect.objectContaining({ id, method: 'sleep', request: [1] });
      expect(tree).toEqual({
        [parent]: [task(first), task(second)],
        [first]: [task(grandchild)],
        [second]: [],
        [grandchild]: [],
      });
    });

    it('leaves out parameters nobody asked for, and knows nothing of other tasks', async () => {
      const parent = await use().openTask();
      const child = await use().subtask(parent);

      const tree = z
        .record(z.string(), z.array(z.looseObject({ id: z.int() })))
        .parse(await use().user.call('getTaskDescendents', [parent]));

      expect(tree[parent]?.[0]).toMatchObject({ id: child });
      expect(tree[parent]?.[0]).not.toHaveProperty('request');
      expect(await use().user.call('getTaskDescendents', [unknown])).toEqual({ [unknown]: [] });
    });
  });

  describe('listTaskOutput', () => {
    it('names the files of a task, with their volumes when asked', async () => {
      const task = await use().openTask();
      await use().upload(task, 'build.log', 'x');
      await use().upload(task, 'a.rpm', 'x');

      const names = z.array(z.string()).parse(await use().user.call('listTaskOutput', [task]));
      const files = await use().user.call('listTaskOutput', [task], { all_volumes: true });

      expect(names.toSorted()).toEqual(['a.rpm', 'build.log']);
      expect(files).toEqual({ 'a.rpm': ['DEFAULT'], 'build.log': ['DEFAULT'] });
    });

    it('still names files that have moved to their build', async () => {
      const build = await prepareBuild(use());
      await completeBuild(use(), build);

      const files = await use().user.call('listTaskOutput', [build.task], { all_volumes: true });

      expect(Object.keys(z.record(z.string(), z.unknown()).parse(files)).toSorted()).toEqual([
        'build.log',
        `${build.nvr}.noarch.rpm`,
        `${build.nvr}.src.rpm`,
      ]);
    });

    it('is empty where there is nothing', async () => {
      expect(await use().user.call('listTaskOutput', [unknown])).toEqual([]);
      expect(await use().user.call('listTaskOutput', [unknown], { all_volumes: true })).toEqual({});
    });
  });

  describe('getUser', () => {
    it('finds people and hosts by id and name, and oneself by nothing', async () => {
      const { name } = accounts.user;
      const user = await use().admin.call('getUser', [name]);

      expect(user).toMatchObject({ name, status: 0, usertype: 0, krb_principals: [] });
      expect(await use().admin.call('getUser', [Identified.parse(user).id])).toEqual(user);
      expect(await use().admin.call('getUser', [{ name }])).toEqual(user);
      expect(await use().user.call('getUser')).toEqual(user);
      expect(await use().admin.call('getUser', [accounts.builder.name])).toMatchObject({ usertype: 1 });
    });

    it('gives nothing for nobody, or 1000 when somebody must be there', async () => {
      expect(await use().user.call('getUser', [unknown])).toBeNull();
      expect(await use().user.call('getUser', [unique('nobody')])).toBeNull();
      await expectFault(use().user.call('getUser', [unique('nobody')], { strict: true }), 1000);
    });
  });

  describe('getHost', () => {
    it('finds a host by id and name, or nothing', async () => {
      const own = await use().builder.call('host.getHost');

      expect(await use().user.call('getHost', [Identified.parse(own).id])).toEqual(own);
      expect(await use().user.call('getHost', [accounts.builder.name])).toEqual(own);
      expect(await use().user.call('getHost', [unique('none')])).toBeNull();
      await expectFault(use().user.call('getHost', [unique('none')], { strict: true }), 1000);
    });
  });

  describe('getChangelogEntries', () => {
    const time = 1_700_006_400;
    const changelog = [
      { time, author: 'Zoë <z@example.com> - 2', text: '- second' },
      { time: time - 86_400, author: 'A <a@example.com> - 1', text: '- first\n- of all' },
    ];

    it('gives the changelog of the source package, the newest first, as much as is asked for', async () => {
      const build = await prepareBuild(use(), unique('contract'), '1.0', undefined, changelog);
      await completeBuild(use(), build);
      const entry = {
        date: '2023-11-15 00:00:00',
        date_ts: time,
        author: changelog[0]?.author,
        text: '- second',
      };

      const all = await use().user.call('getChangelogEntries', [build.buildId]);
      const one = await use().user.call('getChangelogEntries', [build.buildId], { queryOpts: { limit: 1 } });

      expect(all).toMatchObject([entry, { date: '2023-11-14 00:00:00', text: '- first\n- of all' }]);
      expect(one).toEqual([entry]);
    });

    it('is empty without a source package, a changelog or a build', async () => {
      const task = await use().openTask();
      const unfinished = await use().builder.call('host.initBuild', [buildData(unique('contract'), task)]);
      const silent = await prepareBuild(use());
      await completeBuild(use(), silent);

      for (const id of [z.int().parse(unfinished), silent.buildId, unknown])
        expect(await use().user.call('getChangelogEntries', [id])).toEqual([]);
    });
  });
}

import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { HubClient } from '../../src/devhub/client.ts';
import { buildState, taskState } from '../../src/devhub/rows.ts';
import { startSmtpServer } from '../support/smtp-server.ts';
import { describeBuilds } from './build-suite.ts';
import { childOf, type Ended, shapeOf, TestBuilder } from './builder.ts';
import { daemonLines, trafficOf } from './daemon-log.ts';
import { endStates } from './end-states.ts';
import { buildOf, forgetBuild, openRealTestHub, type RealPlace } from './real-hub.ts';
import { arch, describeE2e, srpm } from './surroundings.ts';

const environmentFile = process.env['KOJI_TEST_HUB'];

if (environmentFile === undefined)
  describe('builds for a real hub', () => {
    it('need one', ({ skip }) => skip('KOJI_TEST_HUB does not name the env.sh of a running hub'));
  });
else describeRealHub((place) => openRealTestHub(environmentFile, place));

/** What kojid asks of the hub in the session of a `buildArch`, uploads left out. */
const callsOfKojid = 16;
const mailTasks = ['buildNotification', 'tagNotification'];
const nvrOf = (name: string) => `${name}-1.0-1.td1`;
const hello = nvrOf('hello');
/** Tasks are polled for; how soon they end is the affair of hub and builder. */
const soon = { timeout: 120_000, interval: 500 };
const Host = z.looseObject({ id: z.int(), name: z.string() });
const Task = z.looseObject({ id: z.int(), state: z.int(), host_id: z.int().nullable() });

function describeRealHub(openHub: (place?: RealPlace) => ReturnType<typeof openRealTestHub>): void {
  describeBuilds('builds for a real hub', openHub);

  describeE2e('source packages on a real hub', () => {
    let builder: TestBuilder;

    beforeAll(async () => {
      builder = await TestBuilder.start(await openHub());
      const client = await builder.login();
      for (const { srpm: name, kind } of endStates)
        if (kind === 'tagged') await forgetBuild(client, nvrOf(name));
      await client.logout();
      await builder.ensureRepo('td1-build');
    });
    afterAll(() => builder[Symbol.asyncDispose]());

    const tasksOf = ({ tree }: Ended) => tree.children.map(({ id }) => id);
    const statesOfBuildroots = async (build: Ended) => {
      const roots = await Promise.all(tasksOf(build).map((id) => builder.hub.buildroots(id)));
      return new Set(roots.flat().map(({ state }) => state));
    };
    const bytesOnHub = async (taskId: number) => {
      const files = await builder.uploads(taskId);
      const sizes = await Promise.all(files.map((file) => stat(builder.uploadPath(taskId, file))));
      return sizes.reduce((sum, { size }) => sum + size, 0);
    };

    describe.concurrent('end as under kojid', () => {
      it.each(endStates)('$kind $srpm', async ({ srpm: name, kind, tree, fault }) => {
        const opts = kind === 'scratch' ? { scratch: true } : {};

        const build = await builder.build(srpm(name), { opts });

        // Whether it had to wait for a repository depends on what was built before.
        const shape = shapeOf(build.tree, taskState).replace('waitrepo closed, ', '');
        expect({ shape, fault: build.fault }).toEqual({ shape: tree, fault });
        expect(await statesOfBuildroots(build)).toEqual(new Set(['EXPIRED']));
        if (tree.includes('buildArch')) {
          const buildArch = childOf(build.tree, 'buildArch');
          const { calls, uploadedBytes } = await trafficOf(builder.daemon.logPath, buildArch.id);
          expect(calls).toBeLessThanOrEqual(callsOfKojid);
          expect(uploadedBytes).toBe(await bytesOnHub(buildArch.id));
          if (fault !== null) expect((await builder.child(build, 'buildArch')).fault).toEqual(fault);
        }
        if (kind === 'tagged') {
          const client = await builder.login();
          const ended =
            fault === null ? { state: buildState.COMPLETE, tags: ['td1'] } : { state: buildState.FAILED };
          expect(await buildOf(client, nvrOf(name))).toMatchObject(ended);
          await client.logout();
        }
      });
    });

    it('leave nothing on the host', async () => {
      expect(await builder.leftovers()).toEqual([]);
    });

    it('get into a repository that is made here, and a task that waits for it ends', async () => {
      const client = await builder.login();
      const make = async (method: string, ...params: (string | null | string[])[]) =>
        z.int().parse(await client.call('makeTask', [method, params], { channel: builder.hub.channel }));
      await client.call('untagBuild', ['td1', hello]);
      await client.call('tagBuildBypass', ['td1', hello]);

      const waiting = await make('waitrepo', 'td1-build', null, [hello]);
      const newRepo = await builder.end(await make('newRepo', 'td1-build'));
      const waited = await builder.end(waiting);
      await client.logout();

      expect(shapeOf(newRepo.tree, taskState)).toBe(`newRepo closed (createrepo ${arch} closed)`);
      const [made] = z.array(z.int()).parse(newRepo.result);
      const { id: found } = z.looseObject({ id: z.int() }).parse(waited.result);
      for (const id of [made, found]) {
        const repo = join(builder.hub.topdir, 'repos/td1-build', String(id), arch);
        expect(existsSync(join(repo, 'repodata/repomd.xml'))).toBe(true);
        expect(await readFile(join(repo, 'pkglist'), 'utf8')).toContain(`${hello}.${arch}.rpm`);
      }
    });
  });

  describeE2e('mails of a real hub', () => {
    it('are sent for what is built and tagged', async ({ skip }) => {
      const place = { host: 'adjutant-e2e-mail', channel: 'adjutant-e2e-mail' };
      const hub = await openHub({ ...place, others: ['default', 'createrepo'] });
      const smtp = await startSmtpServer();
      const early = new HubClient(hub.url);
      await early.login(hub.client.name, hub.client.password);
      // Before there is a host that would take them.
      await cancelWaitingMails(early);
      await early.logout();
      await using builder = await TestBuilder.start(hub, { kojid: { smtphost: smtp.host } });
      if (!hub.notifies) skip('the hub makes no tasks that send mails');
      const client = await builder.login();
      const others = await hostsInDefault(client, builder.name);
      if (others.length > 0) skip(`${others.join(', ')} may take these tasks from the channel default`);
      await forgetBuild(client, hello);
      await builder.ensureRepo('td1-build');
      const mailsAbout = (text: string) =>
        smtp.mails.filter(
          (mail) => mail.text.includes(`\r\nSubject: ${text}`) || mail.text.startsWith(`Subject: ${text}`),
        );

      const build = await builder.build(srpm('hello'), { opts: {} });
      await client.call('untagBuild', ['td1', hello]);
      const tagBuild = await builder.end(z.int().parse(await client.call('tagBuild', ['td1', hello])));

      expect([build.fault, tagBuild.fault]).toEqual([null, null]);
      const builtMail = `Package: ${hello} Tag: td1 Status: complete Built by: ${hub.client.name}`;
      await expect.poll(() => mailsAbout(builtMail), soon).toHaveLength(1);
      const taggedMail = `${hello} successfully tagged into td1 by ${hub.client.name}`;
      await expect.poll(() => mailsAbout(taggedMail), soon).toHaveLength(1);
      expect(mailsAbout(builtMail)[0]?.to).toEqual([expect.stringMatching(/^kojiadmin@/)]);
      // Each by itself: what is untagged may be told, too.
      for (const method of mailTasks) {
        const states = async () => {
          const found = z.array(Task).parse(await client.call('listTasks', [{ method }]));
          return new Set(found.flatMap(({ id, state }) => (id > build.tree.id ? [state] : [])));
        };
        await expect.poll(states, soon).toEqual(new Set([taskState.CLOSED]));
      }
    });
  });

  describeE2e('a canary on a real hub', () => {
    it('refuses what it does not accept, which waits for another host', async () => {
      const channel = 'adjutant-e2e-canary';
      const place = (host: string) => ({ host, channel, others: [] });
      const hub = await openHub(place(channel));
      await using canary = await TestBuilder.start(hub, { settings: ['accept = methods=!sleep'] });
      const client = await canary.login();
      const make = async (method: string, ...params: number[]) =>
        z.int().parse(await client.call('makeTask', [method, params], { channel }));
      const taskOf = async (id: number) => Task.parse(await client.call('getTaskInfo', [id]));
      const refused = async (id: number) =>
        (await daemonLines(canary.daemon.logPath)).find(
          ({ msg, taskId }) => msg === 'task refused' && taskId === id,
        );

      const sleep = await make('sleep', 0);
      const accepted = await canary.end(await make('fork', 1, 0));
      await expect.poll(() => refused(sleep), soon).toBeDefined();

      expect(accepted.fault).toBeNull();
      expect((await refused(sleep))?.reason).toContain('limited to methods=!sleep (accept in adjutant.conf)');
      const free = { state: taskState.FREE, host_id: null };
      await expect.poll(() => taskOf(sleep), soon).toMatchObject(free);

      // Before 1.34 a host with less room than others lets them go first.
      const other = await openHub(place(`${channel}-other`));
      await using second = await TestBuilder.start(other, { kojid: { task_avail_delay: '1' } });
      const { fault } = await second.end(sleep);

      expect(fault).toBeNull();
      const { id } = Host.parse(await client.call('getHost', [second.name]));
      expect(await taskOf(sleep)).toMatchObject({ state: taskState.CLOSED, host_id: id });
    });
  });
}

/** Those of earlier builds, for which no host was there. */
async function cancelWaitingMails(client: HubClient): Promise<void> {
  for (const method of mailTasks) {
    const waiting = await client.call('listTasks', [{ method, state: [taskState.FREE] }]);
    for (const { id } of z.array(Task).parse(waiting)) await client.call('cancelTask', [id]);
  }
}

/** Names of the other hosts that are ready to take tasks of the channel `default`. */
async function hostsInDefault(client: HubClient, own: string): Promise<readonly string[]> {
  const { id } = z.looseObject({ id: z.int() }).parse(await client.call('getChannel', ['default']));
  const ready = await client.call('listHosts', [], { channelID: id, ready: true, enabled: true });
  return z
    .array(Host)
    .parse(ready)
    .flatMap(({ name }) => (name === own ? [] : [name]));
}

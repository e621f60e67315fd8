import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { HubClient } from '../../src/devhub/client.ts';
import { ensureHost, ensureTag, ensureTarget, ensureUser } from '../../src/devhub/hub.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { type RunningDevHub, runDevHub } from '../../src/devhub/run.ts';
import { allowPackage } from '../../src/devhub/seed.ts';
import { decodeResponse } from '../../src/hub/xmlrpc/decode.ts';
import { toNoarchRpm, toSrpm } from '../contract/hub/build-files.ts';
import { startSmtpServer } from '../support/smtp-server.ts';
import { SpawnedDaemon } from '../support/spawned-daemon.ts';

const webUrl = 'https://koji.example.com/koji';
const maker = { name: 'maker', password: 'maker-pw' };

/** A development hub with mail, a host for the daemon and one on which builds are made by hand. */
async function startHub(): Promise<RunningDevHub> {
  const dir = await mkdtemp(join(tmpdir(), 'adjutant-hub-'));
  const settings = { notifications: { emailDomain: 'example.com', webUrl } };
  const hub = await runDevHub({ dir, port: 0, clock: systemClock, settings });
  onTestFinished(async () => {
    await hub.close();
    await rm(dir, { recursive: true, force: true });
  });
  await hub.change((data) => {
    const host = { arches: 'x86_64 noarch', capacity: 4 };
    ensureHost(data, { ...host, name: 'builder', password: 'secret', channels: ['default'] });
    ensureHost(data, { ...host, ...maker, channels: ['makers'] });
    const owner = ensureUser(data, 'owner', 'owner-pw');
    ensureUser(data, 'submitter', 'submitter-pw');
    const tag = { extra: {}, parents: [], groups: [], arches: null };
    const destination = ensureTag(data, { ...tag, name: 'f1' });
    ensureTarget(data, 'f1', ensureTag(data, { ...tag, name: 'f1-build', arches: 'x86_64' }), destination);
    allowPackage(data, destination, 'hello', owner.id);
  });
  return hub;
}

/** A build that is complete, made by the other host. */
async function makeBuild(hub: RunningDevHub): Promise<void> {
  const submitter = new HubClient(hub.url);
  await submitter.login('submitter', 'submitter-pw');
  const task = z.int().parse(await submitter.call('build', ['x.src.rpm', 'f1', {}, null, 'makers']));
  const client = new HubClient(hub.url);
  await client.login(maker.name, maker.password);
  await client.call('exclusiveSession', [], { force: true });
  await client.call('host.openTask', [task]);
  const build = { name: 'hello', version: '1.0', release: '1', epoch: null, task_id: task };
  const id = await client.call('host.initBuild', [build]);
  const filepath = `tasks/${task}/${task}`;
  const upload = async (filename: string, content: Buffer): Promise<string> => {
    const query = { filename, filepath, fileverify: 'adler32', offset: '0', overwrite: '1' };
    await client.uploadChunk(query, content);
    return `${filepath}/${filename}`;
  };
  const changelog = [{ time: 1_700_006_400, author: 'Ann <a@example.com> - 1.0-1', text: '- The first' }];
  const srpm = await upload('hello-1.0-1.src.rpm', toSrpm('hello', '1.0', changelog));
  const rpm = await upload('hello-1.0-1.noarch.rpm', toNoarchRpm('hello'));
  const log = await upload('build.log', Buffer.from('made\n'));
  await client.call('host.completeBuild', [task, id, srpm, [rpm], {}, { noarch: [log] }]);
}

const mailTasks = (hub: RunningDevHub) =>
  hub.change(({ state }) => state.tables.tasks.filter(({ method }) => method === 'buildNotification'));

describe('a build on a hub with mail', () => {
  it('leads to a mail for its submitter and the owner of its package', async () => {
    const smtp = await startSmtpServer();
    const hub = await startHub();
    const daemon = await SpawnedDaemon.start(hub.url, ['sleeptime = 1', `smtphost = 127.0.0.1:${smtp.port}`]);
    await daemon.line('ready');

    await makeBuild(hub);
    await daemon.line('task ended');

    expect(await mailTasks(hub)).toMatchObject([{ state: taskState.CLOSED }]);
    expect(smtp.mails).toHaveLength(1);
    const [mail] = smtp.mails;
    expect(mail?.to.toSorted()).toEqual(['owner@example.com', 'submitter@example.com']);
    expect(mail?.text).toMatch(
      /^Subject: Package: hello-1\.0-1 Tag: f1 Status: complete Built by: submitter\r$/m,
    );
    expect(mail?.text).toContain('The first');
    expect(mail?.text).toContain(`${webUrl}/buildinfo?buildID=1`);
    expect(mail?.text).toContain('SRPMS:\r\n  hello-1.0-1.src.rpm\r\n');
  });

  it('fails one task when the mail server is away, and nothing else', async () => {
    let tries = 0;
    // The greeting is all that is ever asked of it.
    const reply = () => {
      tries += 1;
      return 'hang up' as const;
    };
    const smtp = await startSmtpServer({ reply });
    const hub = await startHub();
    const daemon = await SpawnedDaemon.start(hub.url, ['sleeptime = 1', `smtphost = 127.0.0.1:${smtp.port}`]);
    await daemon.line('ready');

    await makeBuild(hub);
    await daemon.line('task ended');
    const admin = new HubClient(hub.url);
    await hub.change((data) => void ensureUser(data, 'admin', 'admin-pw', ['admin']));
    await admin.login('admin', 'admin-pw');
    await admin.call('makeTask', ['sleep', [2]]);
    while (daemon.lines.filter(({ msg }) => msg === 'task ended').length < 2) await systemClock.sleep(50);

    const [task, ...more] = await mailTasks(hub);
    expect(more).toEqual([]);
    expect(task?.state).toBe(taskState.FAILED);
    expect(() => decodeResponse(task?.result ?? '')).toThrow(/fault 1000: .*smtphost/);
    // One try, while the daemon has polled for two seconds more.
    expect(tries).toBe(1);
    expect(daemon.lines.filter(({ msg }) => msg === 'task started')).toHaveLength(2);
    expect(daemon.lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});

import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { BuildrootsApi } from '../../src/hub/api/buildroots.ts';
import { HostApi } from '../../src/hub/api/host.ts';
import { TagsApi } from '../../src/hub/api/tags.ts';
import { VersionApi } from '../../src/hub/api/version.ts';
import { createAuth } from '../../src/hub/auth/create-auth.ts';
import { HubTransportError, isFault } from '../../src/hub/faults.ts';
import { openSession, resumeSession } from '../../src/hub/session/open-session.ts';
import type { HubSession } from '../../src/hub/session/session.ts';
import { loadTls, type TlsFiles } from '../../src/hub/transport/tls.ts';
import { createTransport, type HubTransport } from '../../src/hub/transport/transport.ts';
import { decodeCall } from '../../src/hub/xmlrpc/decode.ts';
import type { UploadTarget } from '../../src/upload/append-upload.ts';
import { Uploader } from '../../src/upload/uploader.ts';

const envFile = process.env['KOJI_TEST_HUB'];
const lab = envFile === undefined ? {} : sourced(envFile);
const builder = { kind: 'password', user: 'builder2', password: 'builder2-pw' } as const;
const options = { maxRetries: 2, retryIntervalMs: 1000, offlineRetry: true, offlineRetryIntervalMs: 1000 };
const log = pino({ level: 'silent' });

function sourced(file: string): Record<string, string> {
  const text = execFileSync('bash', ['-c', 'source "$1" >&2 && env -0', 'bash', file], { encoding: 'utf8' });
  return Object.fromEntries(
    text.split('\0').map((line) => [line.split('=', 1)[0] ?? '', line.replace(/^[^=]*=/, '')]),
  );
}

function need(name: string): string {
  const text = lab[name];
  if (text === undefined) throw new Error(`${envFile} does not set ${name}`);
  return text;
}

async function connect(
  server: string,
  files: TlsFiles = { verify: true },
  secure = false,
): Promise<HubTransport> {
  return createTransport({ server, secure, tls: await loadTls(files), timeoutMs: 30_000 });
}

/** Loses the answer of the next call of this method after the hub has given it. */
function losing(transport: HubTransport, method: string): HubTransport {
  let lost = false;
  return {
    url: transport.url,
    dropConnections: () => transport.dropConnections(),
    async post(request, signal) {
      const answer = await transport.post(request, signal);
      const isUpload = request.headers['Content-Type'] !== 'text/xml';
      if (lost || (isUpload ? 'rawUpload' : decodeCall(request.body).method) !== method) return answer;
      lost = true;
      throw new HubTransportError('dropped', 'lost by the test');
    },
  };
}

const login = (transport: HubTransport, auth = createAuth(builder)): Promise<HubSession> =>
  openSession(options, auth, systemClock, transport, log);
const echo = (session: HubSession): Promise<string[]> => session.call('echo', ['OK'], z.array(z.string()));

describe.skipIf(envFile === undefined)('the hub client with a real hub (KOJI_TEST_HUB)', () => {
  let transport: HubTransport;
  let session: HubSession;
  let directory: string;
  const remote = 'hub-client-test';

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hub-client-'));
    transport = await connect(need('HUB_URL'));
    session = await login(transport);
    try {
      await session.exclusiveSession(false);
    } catch (error) {
      if (isFault(error, 1006))
        throw new Error('another builder works as builder2 on this hub; stop it first');
      throw error;
    }
  });
  afterAll(async () => {
    await session?.logout();
    await rm(directory, { recursive: true });
  });

  it('logs in by password and takes the lock', async () => {
    const host = new HostApi(session);

    expect(await echo(session)).toEqual(['OK']);
    expect(await host.sessionInfo()).toMatchObject({ exclusive: true, master: null });
    expect(await host.host()).toMatchObject({ id: await host.hostId(), name: 'builder2' });
    expect(await new VersionApi(session).version()).toMatch(/^1\.\d+/);
    expect(await host.heldTasks()).toEqual([]);
  });

  it('logs in by certificate', async () => {
    // A user of its own: builder2 is locked by the session of this suite.
    const certPath = join(need('LAB'), 'ca/tester.pem');
    const secure = await connect(
      need('HUB_SSL_URL'),
      { certPath, caPath: need('LAB_CA'), verify: true },
      true,
    );

    const mine = await login(secure, createAuth({ kind: 'certificate' }));

    expect(await mine.call('getLoggedInUser', [], z.object({ name: z.string() }))).toMatchObject({
      name: 'tester',
    });
    await mine.logout();
  });

  it('says that the password is wrong', async () => {
    const auth = createAuth({ ...builder, password: 'wrong' });

    await expect(login(transport, auth)).rejects.toMatchObject({
      code: 'login-failed',
      message: expect.stringContaining('did not accept the password of user builder2'),
    });
  });

  it('does not trust a hub whose authority it does not know', async () => {
    const secure = await connect(need('HUB_SSL_URL'));

    await expect(login(secure)).rejects.toMatchObject({
      reason: 'tls',
      message: expect.stringContaining('check options "serverca"'),
    });
  });

  it('explains an address that is no hub', async () => {
    const wrong = await connect(need('FILES_URL'));

    await expect(login(wrong)).rejects.toBeInstanceOf(HubTransportError);
  });

  it('works in subsessions that share the lock', async () => {
    const child = await session.subsession();

    expect(child.info.master).toBe(session.info.id);
    expect(await new HostApi(child).heldTasks()).toEqual([]);
    expect(await Promise.all([echo(child), echo(session), echo(child)])).toHaveLength(3);
    await child.logout();
    await expect(echo(child)).rejects.toMatchObject({ code: 'session-lost' });
  });

  it('renews an expired session with its lock and keeps counting', async () => {
    const child = await session.subsession();
    const before = session.state();
    const ids = [session.info.id, child.info.id].join(', ');
    execFileSync('psql', [need('LAB_DB'), '-qc', `UPDATE sessions SET expired = TRUE WHERE id IN (${ids})`]);

    expect(await new HostApi(session).heldTasks()).toEqual([]);
    expect(await new HostApi(child).heldTasks()).toEqual([]);

    expect(session.info.id).toBe(before.id);
    expect(session.state().key).not.toBe(before.key);
    expect(session.state().callnum).toBe(before.callnum + 3);
    await child.logout();
  });

  it('resumes a session in another process with a number that jumped', async () => {
    const child = await session.subsession();
    await echo(child);

    const state = { ...child.state(), callnum: child.state().callnum + 1000 };
    const resumed = resumeSession(state, options, createAuth(builder), systemClock, transport, log);

    expect(await new HostApi(resumed).heldTasks()).toEqual([]);
    await resumed.logout();
  });

  it.each(['host.updateHost', 'host.getTasks', 'host.getLoadData', 'subsession'])(
    'gets over a lost answer to %s',
    async (method) => {
      const state = session.state();
      const flaky = losing(transport, method);
      const same = resumeSession(
        { ...state, callnum: state.callnum + 100 },
        options,
        createAuth(builder),
        systemClock,
        flaky,
        log,
      );
      const host = new HostApi(same);

      await host.updateHost(0, false, { methods: [], maxjobs: 1 });
      if (await new VersionApi(same).assignsTasks()) expect(await host.assignedTasks()).toEqual([]);
      else expect((await host.loadData()).tasks).toEqual([]);
      const child = await same.subsession();
      expect(await echo(child)).toEqual(['OK']);

      // The suite's own session is behind now; resume the numbers of this one.
      session = resumeSession(same.state(), options, createAuth(builder), systemClock, transport, log);
    },
  );

  it('reads tags and buildroots', async () => {
    const tags = new TagsApi(session);

    expect(await tags.tag('no-such-tag')).toBeNull();
    await expect(tags.tag('no-such-tag', { strict: true })).rejects.toMatchObject({ faultCode: 1000 });
    expect((await tags.lastEvent()).id).toBeGreaterThan(0);
    const hostId = await new HostApi(session).hostId();
    const roots = await new BuildrootsApi(session).listBuildroots({ hostId, states: ['init', 'building'] });
    expect(roots.filter((root) => root.hostId !== hostId)).toEqual([]);
  });

  it('uploads 10 MB and finds it whole, also when the answer of a chunk is lost', async () => {
    const path = join(directory, 'big');
    const content = Buffer.alloc(10_000_000, 'ten megabytes of log ');
    await writeFile(path, content);
    const state = session.state();
    const flaky = resumeSession(
      state,
      options,
      createAuth(builder),
      systemClock,
      losing(transport, 'rawUpload'),
      log,
    );

    const sent = await sendFile(flaky, path, { directory: remote, name: 'big.log' });
    session = resumeSession(flaky.state(), options, createAuth(builder), systemClock, transport, log);
    const there = await session.call(
      'checkUpload',
      [remote, 'big.log'],
      z.object({ size: z.int(), hexdigest: z.string() }),
      {
        keywords: { verify: 'adler32' },
      },
    );

    expect(there).toEqual({ size: content.length, hexdigest: sent.adler32 });
  });

  it('uploads an empty file, a growing one and the rest of a broken-off one', async () => {
    const path = join(directory, 'log');
    await writeFile(path, '');
    expect(await sendFile(session, path, { directory: remote, name: 'empty.log' })).toMatchObject({
      sizeBytes: 0,
    });

    const growing = new Uploader(session, systemClock).append(path, {
      directory: remote,
      name: 'growing.log',
    });
    await writeFile(path, 'one\n');
    await growing.push();
    await writeFile(path, 'one\ntwo\n');
    await growing.finish();
    await writeFile(path, 'one\ntwo\nthree\n');
    const numberBefore = session.state().callnum;
    const resumed = await sendFile(session, path, { directory: remote, name: 'growing.log' }, true);

    expect(growing.sentBytes).toBe(8);
    expect(resumed.sizeBytes).toBe(14);
    // Look, send the rest, look: the first eight bytes were not sent again.
    expect(session.state().callnum).toBe(numberBefore + 3);
  });

  it('uploads 10 MB without raw requests, over what an earlier attempt left', async () => {
    const path = join(directory, 'plain');
    const content = Buffer.alloc(10_000_000, 'ten megabytes in calls ');
    await writeFile(path, Buffer.concat([content, Buffer.from('and more')]));
    const target = { directory: remote, name: 'plain.rpm' };
    await sendFile(session, path, target);
    await writeFile(path, content);
    const plain = { ...options, fastUpload: false };
    const slow = resumeSession(session.state(), plain, createAuth(builder), systemClock, transport, log);

    const sent = await sendFile(slow, path, target);
    await writeFile(path, '');
    await sendFile(slow, path, { directory: remote, name: 'none.rpm' });
    const growing = new Uploader(slow, systemClock).append(path, { directory: remote, name: 'growing2.log' });
    await writeFile(path, 'one\n');
    await growing.push();
    await writeFile(path, 'one\ntwo\n');
    await growing.finish();

    session = resumeSession(slow.state(), options, createAuth(builder), systemClock, transport, log);
    const Checked = z.object({ size: z.int(), hexdigest: z.string() });
    const keywords = { verify: 'adler32' };
    const check = (name: string) => session.call('checkUpload', [remote, name], Checked, { keywords });
    expect(await check('plain.rpm')).toEqual({ size: content.length, hexdigest: sent.adler32 });
    expect(await check('none.rpm')).toMatchObject({ size: 0 });
    expect(await check('growing2.log')).toEqual({ size: 8, hexdigest: growing.checksum });
  });
});

async function sendFile(session: HubSession, path: string, target: UploadTarget, resume = false) {
  const [sent] = await new Uploader(session, systemClock).files([{ path, target }], { resume });
  if (sent === undefined) throw new Error('nothing was sent');
  return sent;
}

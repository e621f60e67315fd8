import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { fullHostName } from '../../src/assembly/build-host-name.ts';
import { type HubConnection, hubConnection } from '../../src/assembly/hub-connection.ts';
import { loadConfig } from '../../src/config/load.ts';
import { openSession } from '../../src/hub/session/open-session.ts';
import type { HubSession } from '../../src/hub/session/session.ts';
import { FakeHub, fault, value } from '../support/fake-hub.ts';
import { GssapiServer, missingForServer } from '../support/gssapi-server.ts';
import { KerberosRealm, missingForRealm } from '../support/kerberos-realm.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { silentLog } from '../support/silent-log.ts';

const missing = missingForRealm() ?? missingForServer();
const reason = missing === null ? '' : ` (skipped: ${missing})`;

const ours = 'compile/b1.example.com';
const other = 'compile/b2.example.com';
const expired = 'compile/old.example.com';
const deleted = 'compile/gone.example.com';

describe.skipIf(missing !== null)(`login by Kerberos, with a KDC and mod_auth_gssapi${reason}`, () => {
  let directory: string;
  let keytab: string;
  let realm: KerberosRealm;
  let hub: FakeHub;
  let server: GssapiServer;
  let caches = 0;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-kerberos-'));
    // Apache's own user reads its keytab.
    await chmod(directory, 0o755);
    keytab = join(directory, 'kojid.keytab');
    const [web, stale] = [join(directory, 'http.keytab'), join(directory, 'stale.keytab')];
    realm = await KerberosRealm.start(join(directory, 'realm'));
    for (const principal of [ours, other, expired, deleted, 'HTTP/localhost'])
      await realm.addPrincipal(principal);
    for (const principal of [other, ours, expired, deleted]) await realm.newKey(principal, keytab);
    await realm.deletePrincipal(deleted);
    await realm.newKey(expired, join(directory, 'newer.keytab'));
    await realm.newKey('HTTP/localhost', stale);
    await realm.newKey('HTTP/localhost', web);
    await Promise.all([chmod(web, 0o644), chmod(stale, 0o644)]);
    hub = await FakeHub.start();
    server = await GssapiServer.start(join(directory, 'web'), hub.url, {
      kojihub: { keytabPath: web },
      stale: { keytabPath: stale },
      open: 'open',
      basic: 'basic',
    });
  });

  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await hub?.[Symbol.asyncDispose]();
    await realm?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  beforeEach(() => {
    vi.stubEnv('KRB5_CONFIG', realm.configPath);
    hub.seen.length = 0;
    hub.on('sslLogin', value({ 'session-id': 7, 'session-key': 'key-1', 'header-auth': true }));
    hub.on('logout', value(null));
  });

  /** What a kojid.conf describes that works but for these lines; each time with no ticket yet. */
  async function connect(
    change: Readonly<Record<string, string | null>> = {},
    door = 'kojihub',
  ): Promise<HubConnection> {
    caches += 1;
    const values = {
      server: `${server.url}/${door}`,
      topurl: 'http://127.0.0.1:9/kojifiles',
      topdir: directory,
      workdir: directory,
      krb_principal: `${ours}@${realm.name}`,
      keytab,
      ccache: join(directory, `ccache-${caches}`),
      serverca: server.caPath,
      ...change,
    };
    const configPath = join(directory, 'kojid.conf');
    const lines = Object.entries(values).flatMap(([key, text]) =>
      text === null ? [] : [`${key} = ${text}`],
    );
    await writeFile(configPath, ['[kojid]', ...lines, ''].join('\n'));
    return hubConnection(loadConfig({ configPath, env: {} }));
  }

  async function logIn(...how: Parameters<typeof connect>): Promise<HubSession> {
    const { transport, auth, session } = await connect(...how);
    return openSession(session, auth, new ManualClock(), transport, silentLog);
  }

  /** A directory with a `curl` of the test's own, before all others. */
  async function putCurl(script: string): Promise<void> {
    const bin = await mkdtemp(join(directory, 'bin-'));
    await writeFile(join(bin, 'curl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${bin}${delimiter}${process.env['PATH'] ?? ''}`);
  }

  it('shows a ticket once, and then the session as other logins do', async () => {
    hub.on('getKojiVersion', value('1.35.3'));

    const session = await logIn();
    expect(session.hubVersion).toBe('1.35.3');
    await session.call('getKojiVersion', [], z.string());
    await session.logout();

    expect(hub.seen).toMatchObject([
      {
        method: 'sslLogin',
        path: '/kojihub/ssllogin',
        keywords: { proxyuser: null },
        session: null,
        headers: { 'x-remote-user': `${ours}@${realm.name}`, 'user-agent': 'koji/1' },
      },
      { method: 'getKojiVersion', path: '/kojihub', session: { id: 7, key: 'key-1', callnum: 0 } },
      { method: 'logout', path: '/kojihub', session: { callnum: 1 } },
    ]);
    expect(hub.seen[1]?.headers).not.toHaveProperty('authorization');
  });

  it('renews an expired session the same way, and counts on', async () => {
    const arguments_ = join(directory, 'arguments');
    await putCurl(`echo "$@" >> ${arguments_}; env >> ${arguments_}; exec /usr/bin/curl "$@"`);
    hub.on('host.getID', fault(1007, 'session expired'), value(3));
    const session = await logIn();
    hub.on('sslLogin', value({ 'session-id': 7, 'session-key': 'key-2', 'header-auth': true }));

    expect(await session.call('host.getID', [], z.int())).toBe(3);

    expect(hub.numbered).toEqual(['0 host.getID', '1 sslLogin', '2 host.getID']);
    expect(hub.seen[2]).toMatchObject({
      keywords: { proxyuser: null, renew: true, exclusive: false },
      session: { id: 7, key: 'key-1' },
      headers: { 'x-remote-user': `${ours}@${realm.name}` },
    });
    expect(hub.seen[3]).toMatchObject({ path: '/kojihub', session: { key: 'key-2' } });
    const told = await readFile(arguments_, 'utf8');
    expect(told).toContain(`KRB5_CLIENT_KTNAME=${keytab}`);
    expect(told).not.toContain('key-1');
  });

  it.each([
    ['the one that is asked for, of several in the keytab', `${other}@ADJUTANT.TEST`, other],
    ['one without its realm', ours, ours],
    ['the first in the keytab where krb_principal is empty', '', other],
  ])('takes as principal %s', async (_, principal, expected) => {
    await logIn({ krb_principal: principal });

    expect(hub.seen[0]?.headers).toMatchObject({ 'x-remote-user': `${expected}@${realm.name}` });
  });

  it('makes the principal by the format, and puts aside an empty credential cache', async () => {
    const ccache = join(directory, 'empty');
    await writeFile(ccache, '');
    const format = `compile/%s@${realm.name}`;
    await realm.addPrincipal(`compile/${await fullHostName()}`);
    await realm.newKey(`compile/${await fullHostName()}`, keytab);

    await logIn({ krb_principal: null, host_principal_format: format, ccache });

    expect(hub.seen[0]?.headers).toMatchObject({
      'x-remote-user': format.replace('%s', await fullHostName()),
    });
  });

  it('keeps its tickets in ccache: with them it needs neither KDC nor keytab', async () => {
    const ccache = join(directory, 'kept');
    await logIn({ ccache });
    await realm.pause();
    try {
      await logIn({ ccache, keytab: '' });
      await expect(logIn()).rejects.toMatchObject({
        code: 'hub-unreachable',
        message: expect.stringMatching(
          /b1.*: Cannot contact any KDC for realm 'ADJUTANT.TEST'; check krb5.conf/,
        ),
      });
    } finally {
      await realm.resume();
    }
    expect(hub.seen.map(({ method }) => method)).toEqual(['sslLogin', 'sslLogin']);
  });

  it.each<[string, Readonly<Record<string, string | null>>, string, string, RegExp]>([
    [
      'a principal that is gone',
      { krb_principal: deleted },
      'kojihub',
      'hub-login',
      /not found in Kerberos database; the KDC has no such principal; correct krb_principal/,
    ],
    [
      'a key that was replaced',
      { krb_principal: expired },
      'kojihub',
      'hub-login',
      /kojid.keytab is not the principal's present one/,
    ],
    [
      'a principal that the format makes and the keytab has not',
      { krb_principal: null, host_principal_format: 'none/%s@R' },
      'kojihub',
      'auth-config',
      /kojid.keytab \(option "keytab"\) holds no key of none\/.*correct krb_principal or host_principal_format/,
    ],
    [
      'no keytab and no ticket',
      { keytab: '' },
      'kojihub',
      'hub-login',
      /ccache-\d+ has no valid tickets, and keytab is empty/,
    ],
    [
      'a credential cache that cannot be made',
      { ccache: '/nonexistent/ccache' },
      'kojihub',
      'hub-login',
      /\/nonexistent\/ccache cannot be written/,
    ],
    ['a server without GSSAPI', {}, 'open', 'hub-login', /does not ask for a Kerberos ticket there/],
    [
      'a server with another kind of login',
      {},
      'basic',
      'hub-login',
      /does not ask for a Kerberos ticket there/,
    ],
    [
      'a server with an old key of its own',
      {},
      'stale',
      'hub-login',
      /does not take the ticket: Key version is not available/,
    ],
    [
      'a certificate nobody vouches for',
      { serverca: '' },
      'kojihub',
      'hub-tls',
      /curl: \(60\).*check option "serverca"/,
    ],
  ])('says what to change with %s', async (_, change, door, code, message) => {
    if (door === 'open') hub.on('sslLogin', fault(1002, 'could not verify client'));

    await expect(logIn(change, door)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('says so when the name of the server is not that of its principal', async () => {
    const address = `${server.url.replace('localhost', '127.0.0.1')}/kojihub`;

    await expect(logIn({ server: address })).rejects.toMatchObject({
      code: 'hub-login',
      message: expect.stringMatching(/HTTP\/127\.0\.0\.1.*correct the host's name in server/),
    });
  });

  it("says so when the credential cache is somebody else's", async () => {
    const ccache = join(directory, 'shared');
    await logIn({ ccache });

    await expect(logIn({ ccache, krb_principal: other })).rejects.toMatchObject({
      code: 'hub-login',
      message: expect.stringContaining(`${ccache} has tickets of another user; remove it`),
    });
  });

  it('does not look at the certificate with no_ssl_verify', async () => {
    await logIn({ serverca: '', no_ssl_verify: 'yes' });

    expect(hub.seen).toHaveLength(1);
  });

  it('says so when there is no curl, or one without Kerberos', async () => {
    await putCurl(
      'echo "curl: option --negotiate: the installed libcurl version does not support this" >&2; exit 2',
    );
    await expect(logIn()).rejects.toMatchObject({
      code: 'hub-login',
      message: expect.stringContaining('install one with GSS-API and SPNEGO'),
    });

    vi.stubEnv('PATH', directory);
    await expect(logIn()).rejects.toMatchObject({
      code: 'hub-login',
      message: expect.stringMatching(/needs curl, which cannot be run: .*ENOENT; install it/),
    });
  });

  it('stops with the signal', async () => {
    await putCurl('exec sleep 600');
    const leave = new AbortController();
    const { transport } = await connect();
    const posted = transport.post(
      { path: '/ssllogin', query: '', headers: {}, body: Buffer.from('') },
      leave.signal,
    );

    leave.abort(new Error('enough'));

    await expect(posted).rejects.toThrow('enough');
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allOf } from '../../test/support/all-of.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { FakeHub, fault, value } from '../../test/support/fake-hub.ts';
import { createLogger } from '../core/logger.ts';
import { never } from '../core/never.ts';
import { passwordAuth } from '../hub/auth/password.ts';
import { createTransport } from '../hub/transport/transport.ts';
import { checkHub, checkTopUrls } from './check-hub.ts';

const host = { id: 4, name: 'b1', arches: 'x86_64 noarch', capacity: 2, enabled: true };
let hub: FakeHub;

beforeEach(async () => {
  hub = await FakeHub.start();
  hub
    .on('getKojiVersion', value('1.35.3'))
    .on('getLoggedInUser', value({ id: 9, name: 'b1' }))
    .on('listHosts', value([host]))
    .on('listChannels', value([{ name: 'default', enabled: true }]))
    .on('logout', value(null));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
});

async function check(server = hub.url) {
  const under = {
    transport: createTransport({
      server,
      secure: false,
      tls: { clientPem: null, serverCaPem: null, skipVerify: false },
      timeoutMs: 60_000,
    }),
    auth: passwordAuth('b1', 'hush'),
    clock: new FakeClock(Date.now()),
    log: createLogger('silent'),
    expectedUser: 'b1',
  };
  return allOf(checkHub(under, { arch: 'x86_64', hasTopDir: true }, never));
}

const summary = (findings: Awaited<ReturnType<typeof check>>) =>
  findings.map(({ level, what }) => `${level} ${what}`);

describe('checkHub', () => {
  it('logs in and out and asks about the host, and nothing else', async () => {
    const findings = await check();

    expect(summary(findings)).toEqual([
      'ok hub',
      'ok clock',
      'ok login',
      'ok host',
      'ok arches',
      'ok channels',
    ]);
    expect(
      hub.seen.map(({ method, session }) => `${method}${session === null ? '' : ' in session'}`),
    ).toEqual([
      'getKojiVersion',
      'login',
      'getLoggedInUser in session',
      'logout in session',
      'listHosts',
      'listChannels',
    ]);
    expect(hub.seen.find(({ method }) => method === 'listHosts')?.keywords).toEqual({ userID: 'b1' });
  });

  it('finds the host also while its daemon holds the lock', async () => {
    hub.on('getLoggedInUser', fault(1006, 'User locked by another session'));

    const findings = await check();

    expect(summary(findings)).toEqual([
      'ok hub',
      'ok clock',
      'ok login',
      'ok host',
      'ok arches',
      'ok channels',
    ]);
    expect(findings[2]?.found).toContain('a builder runs with it at the moment');
    expect(hub.seen.map(({ method }) => method)).toContain('logout');
  });

  it('ends with a login that is not accepted', async () => {
    hub.on('login', fault(1002, 'invalid username or password'));

    const findings = await check();

    expect(summary(findings)).toEqual(['ok hub', 'ok clock', 'FAIL login']);
    expect(findings[2]?.found).toMatch(/did not accept the password of user b1: invalid username/);
  });

  it('ends with a web server that is no hub', async () => {
    hub.on('getKojiVersion', { status: 200, body: '<html>It works!</html>' });

    expect(summary(await check())).toEqual(['FAIL hub']);
  });

  it('ends with a hub that is not there', async () => {
    expect(summary(await check('http://127.0.0.1:9/kojihub'))).toEqual(['FAIL hub']);
  });
});

describe('checkTopUrls', () => {
  it('asks each of them', async () => {
    const findings = await allOf(checkTopUrls(['file:///', 'http://127.0.0.1:9/files'], never));

    expect(findings.map(({ level }) => level)).toEqual(['ok', 'FAIL']);
  });
});

import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HubClient } from '../../src/devhub/client.ts';
import { hubApis } from '../../src/hub/api/apis.ts';
import { passwordAuth } from '../../src/hub/auth/password.ts';
import { openSession, resumeSession } from '../../src/hub/session/open-session.ts';
import { type HubSession, unsavedCallnums } from '../../src/hub/session/session.ts';
import { createTransport, type HubTransport } from '../../src/hub/transport/transport.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FaultyProxy, type Mishap } from '../support/faulty-proxy.ts';
import { accounts, channel } from './hub/fixture.ts';
import type { HubUnderTest } from './hub/hub-under-test.ts';
import { openDevHub } from './hub/open-dev-hub.ts';

const minuteMs = 60_000;
/** A sixth of the two hours that kojid waits. */
const options = {
  maxRetries: 20,
  retryIntervalMs: 60_000,
  offlineRetry: true,
  offlineRetryIntervalMs: 120_000,
};
const { name, password } = accounts.builder;
const auth = passwordAuth(name, password);
const log = pino({ level: 'silent' });

describe('a hub that is away', () => {
  let hub: HubUnderTest;
  let proxy: FaultyProxy;
  let clock: FakeClock;
  let transport: HubTransport;
  let session: HubSession;
  let mishap: Mishap | null;

  beforeEach(async () => {
    mishap = null;
    clock = new FakeClock();
    hub = await openDevHub();
    await hub.ensureHost({ ...accounts.builder, arches: 'x86_64', capacity: 4, channel });
    proxy = await FaultyProxy.open(hub.url, { onRequest: () => mishap });
    const tls = { clientPem: null, serverCaPem: null, skipVerify: false };
    transport = createTransport({ server: proxy.url, secure: false, tls, timeoutMs: 60_000 });
    session = await openSession(options, auth, clock, transport, log);
    await session.exclusiveSession(false);
  });
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
    await hub.close();
  });

  /** Lasts as long on the clock of the session. */
  function away(kind: Mishap, ms: number): void {
    const { sleep } = clock;
    const backMs = clock.now() + ms;
    mishap = kind;
    clock.sleep = async (...args) => {
      await sleep.apply(clock, args);
      if (clock.now() >= backMs) mishap = null;
    };
  }

  it('is waited for as long as configured, and probed at least every ten seconds', async () => {
    away('lost-request', 19 * minuteMs);

    expect(await hubApis(session, clock).host.heldTasks()).toEqual([]);
    expect(Math.max(...clock.slept)).toBe(10_000);
  });

  it('is given up after that', async () => {
    away('lost-request', 25 * minuteMs);

    await expect(hubApis(session, clock).host.heldTasks()).rejects.toMatchObject({ reason: 'dropped' });
  });

  it('is waited for beyond that when it says that it is offline', async () => {
    away('offline', 60 * minuteMs);

    expect(await hubApis(session, clock).host.heldTasks()).toEqual([]);
    expect(Math.max(...clock.slept)).toBe(10_000);
  });

  it('has given the lock to another meanwhile: the session is lost, and says so', async () => {
    const other = new HubClient(hub.url);
    await other.login(name, password);
    await other.call('exclusiveSession', [], { force: true });

    await expect(hubApis(session, clock).host.heldTasks()).rejects.toMatchObject({ code: 'session-lost' });
  });

  it('refuses a call number that runs backwards, whatever is tried', async () => {
    const { host } = hubApis(session, clock);
    await host.updateHost(0, false);
    await host.updateHost(0, false);
    const behind = resumeSession(
      { ...session.state(), callnum: -unsavedCallnums },
      options,
      auth,
      clock,
      transport,
      log,
    );

    await expect(hubApis(behind, clock).host.updateHost(0, true)).rejects.toMatchObject({ faultCode: 1008 });
    expect(await host.host()).toMatchObject({ ready: false });
  });
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { FakeHub, value } from '../../../test/support/fake-hub.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { silentLog } from '../../../test/support/silent-log.ts';
import { createTransport } from '../transport/transport.ts';
import { AnonymousSession } from './anonymous-session.ts';

async function setUp() {
  const hub = await FakeHub.start();
  onTestFinished(() => hub[Symbol.asyncDispose]());
  const tls = { clientPem: null, serverCaPem: null, skipVerify: false };
  const session = new AnonymousSession(
    {
      maxRetries: 0,
      retryIntervalMs: 1,
      offlineRetry: false,
      offlineRetryIntervalMs: 1,
      clock: new ManualClock(),
      log: silentLog,
      transport: createTransport({ server: hub.url, secure: false, tls, timeoutMs: 5000 }),
    },
    new Set(['getBuild']),
  );
  return { hub, session };
}

describe('AnonymousSession', () => {
  it('calls without a login', async () => {
    const { hub, session } = await setUp();
    hub.on('getBuild', value(7));

    expect(await session.call('getBuild', ['a-1-1'], z.int(), { keywords: { strict: true } })).toBe(7);

    expect(
      hub.seen.map(({ method, params, keywords, session: id }) => [method, params, keywords, id]),
    ).toEqual([['getBuild', ['a-1-1'], { strict: true }, null]]);
  });

  it('sends nothing else', async () => {
    const { hub, session } = await setUp();

    await expect(session.call('cancelTask', [1], z.unknown())).rejects.toMatchObject({
      code: 'anonymous-session',
    });
    await expect(session.upload()).rejects.toMatchObject({ code: 'anonymous-session' });
    await session.logout();

    expect(hub.seen).toEqual([]);
  });
});

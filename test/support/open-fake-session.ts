import { pino } from 'pino';
import { passwordAuth } from '../../src/hub/auth/password.ts';
import { openSession } from '../../src/hub/session/open-session.ts';
import type { HubSession, SessionOptions } from '../../src/hub/session/session.ts';
import { createTransport } from '../../src/hub/transport/transport.ts';
import type { FakeClock } from './fake-clock.ts';
import type { FakeHub } from './fake-hub.ts';

/** A silent session with a fake hub, logged in; it retries twice. */
export function openFakeSession(
  hub: FakeHub,
  clock: FakeClock,
  more: Pick<SessionOptions, 'fastUpload'> = {},
): Promise<HubSession> {
  const transport = createTransport({
    server: hub.url,
    secure: false,
    tls: { clientPem: null, serverCaPem: null, skipVerify: false },
    timeoutMs: 60_000,
  });
  const options = {
    maxRetries: 2,
    retryIntervalMs: 1000,
    offlineRetry: true,
    offlineRetryIntervalMs: 1000,
    ...more,
  };
  return openSession(options, passwordAuth('kojibuilder', 'x'), clock, transport, pino({ level: 'silent' }));
}

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { FakeHub, fault, value } from '../../../test/support/fake-hub.ts';
import { createLogger } from '../../core/logger.ts';
import { passwordAuth } from '../auth/password.ts';
import { openSession } from '../session/open-session.ts';
import { loggedTransport, showValue } from './logged-transport.ts';
import { createTransport } from './transport.ts';

async function setUp() {
  const hub = await FakeHub.start();
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('debug', { write: (line) => void lines.push(JSON.parse(line)) });
  const transport = createTransport({
    server: hub.url,
    secure: false,
    tls: { clientPem: null, serverCaPem: null, skipVerify: false },
    timeoutMs: 60_000,
  });
  const options = { maxRetries: 0, retryIntervalMs: 0, offlineRetry: false, offlineRetryIntervalMs: 0 };
  const auth = passwordAuth('kojibuilder', 'hush-hush');
  const logged = loggedTransport(transport, log);
  const open = () => openSession(options, auth, new FakeClock(), logged, createLogger('silent'));
  return { hub, lines, open };
}

describe('loggedTransport', () => {
  it('shows every call and every answer, by number, and neither password nor session key', async () => {
    const { hub, lines, open } = await setUp();
    await using _hub = hub;
    hub.on('echo', value(['hello']));

    const session = await open();
    await session.call('echo', ['hello'], z.unknown());

    expect(lines).toMatchObject([
      { exchange: 1, method: 'login', params: expect.stringContaining('["kojibuilder","[secret]"') },
      { exchange: 1, method: 'login', answer: expect.stringContaining('"session-key":"[secret]"') },
      { exchange: 2, method: 'echo', sessionId: '7', callnum: '0', params: '["hello"]' },
      { exchange: 2, method: 'echo', answer: '["hello"]' },
    ]);
    expect(JSON.stringify(lines)).not.toContain('hush-hush');
    expect(JSON.stringify(lines)).not.toContain(session.state().key);
  });

  it('shows faults, lost answers and the arguments of uploads', async () => {
    const { hub, lines, open } = await setUp();
    await using _hub = hub;
    const session = await open();
    hub.on('echo', fault(1000, 'cannot read git+https://me:m@ne@example.com/x'));
    hub.on('rawUpload', value({ size: 3, hexdigest: 'a' }));

    await session.call('echo', [], z.unknown()).catch(() => undefined);
    await session.upload({ directory: 'tasks/1/1', name: 'a.log', offset: 5, bytes: Buffer.from('abc') });
    await hub[Symbol.asyncDispose]();
    await session.call('echo', [], z.unknown()).catch(() => undefined);

    expect(lines.slice(2)).toMatchObject([
      { method: 'echo' },
      { fault: expect.stringContaining('git+https://[secret]@example.com/x') },
      {
        method: 'rawUpload',
        params: expect.stringMatching(/"filename":"a.log","offset":"5".*"sizeBytes":3/),
      },
      { answer: '{"size":3,"hexdigest":"a"}' },
      { method: 'echo', exchange: 4 },
      { method: 'echo', exchange: 4, error: expect.stringContaining('broke'), msg: 'no answer' },
      { method: 'echo', exchange: 5 },
      { method: 'echo', exchange: 5, error: expect.stringContaining('cannot reach'), msg: 'no answer' },
    ]);
  });
});

describe('showValue', () => {
  it('takes every value, hides what is secret at any depth, and cuts what is long', () => {
    expect(showValue([1n, null, { opts: [{ password: 'p', krbcc: 'c', name: 'n' }] }])).toBe(
      '["1",null,{"opts":[{"password":"[secret]","krbcc":"[secret]","name":"n"}]}]',
    );
    expect(showValue('x'.repeat(5000))).toMatch(/^"x{4095}\.\.\. and 906 characters more$/);
  });
});

import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { FakeHub, fault, value } from '../../../test/support/fake-hub.ts';
import { describeError } from '../../core/errors.ts';
import { createLogger } from '../../core/logger.ts';
import { certificateAuth } from '../auth/certificate.ts';
import { passwordAuth } from '../auth/password.ts';
import { HubFault, HubProtocolError, HubTransportError, SessionLost } from '../faults.ts';
import { createTransport, type HubTransport } from '../transport/transport.ts';
import { openSession, resumeSession } from './open-session.ts';
import {
  firstCallnum,
  type HubSession,
  reservedCallnums,
  type SessionOptions,
  type SessionState,
  unsavedCallnums,
} from './session.ts';

const options: SessionOptions = {
  maxRetries: 5,
  retryIntervalMs: 60_000,
  offlineRetry: true,
  offlineRetryIntervalMs: 120_000,
};
const noTls = { clientPem: null, serverCaPem: null, skipVerify: false };
const auth = passwordAuth('kojibuilder', 'hush-hush');

let hub: FakeHub;
let clock: FakeClock;
let logged: string;
let transport: HubTransport;
const log = createLogger(
  'trace',
  new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk);
      done();
    },
  }),
);

beforeEach(async () => {
  hub = await FakeHub.start();
  clock = new FakeClock();
  logged = '';
  transport = createTransport({ server: hub.url, secure: false, tls: noTls, timeoutMs: 60_000 });
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
});

const open = (more: Partial<SessionOptions> = {}): Promise<HubSession> =>
  openSession({ ...options, ...more }, auth, clock, transport, log);
const echo = (session: HubSession, text = 'OK'): Promise<string[]> =>
  session.call('echo', [text], z.array(z.string()));
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('openSession', () => {
  it('logs in as kojid does, without session headers', async () => {
    const session = await open();

    expect(session.info).toEqual({ id: 7, master: null });
    expect(hub.seen).toMatchObject([
      { method: 'login', params: ['kojibuilder', 'hush-hush'], keywords: { opts: null }, session: null },
    ]);
    expect(hub.seen[0]?.headers).toMatchObject({ 'user-agent': 'koji/1', 'content-type': 'text/xml' });
    expect(Number(hub.seen[0]?.headers['content-length'])).toBeGreaterThan(0);
  });

  it('says whose password is wrong, and never the password', async () => {
    hub.on('login', fault(1002, 'invalid username or password'));

    const error = await failure(open());

    expect(error).toMatchObject({ code: 'login-failed' });
    expect(describeError(error)).toMatch(
      /did not accept the password of user kojibuilder: invalid username or password/,
    );
    expect(describeError(error) + logged).not.toContain('hush-hush');
  });

  it('logs in by certificate through the other door', async () => {
    hub.on('sslLogin', value({ 'session-id': 8, 'session-key': 'key', 'header-auth': true }));

    await openSession(options, certificateAuth(), clock, transport, log);

    expect(hub.seen).toMatchObject([
      { method: 'sslLogin', path: '/kojihub/ssllogin', params: [], keywords: { proxyuser: null } },
    ]);
  });

  it('does not wait for a hub that is not there, but for one that is offline', async () => {
    hub.on('login', { status: 503, body: 'down' });
    const error = await failure(open());
    hub.on('login', fault(1014, 'offline'), value({ 'session-id': 7, 'session-key': 'key-1' }));
    const session = await open();

    expect(error).toMatchObject({ reason: 'status', status: 503 });
    expect(session.info.id).toBe(7);
    expect(clock.slept).toEqual([1000]);
  });
});

describe('call', () => {
  it('numbers the calls from 0 and sends session and number in headers', async () => {
    hub.on('echo', value(['OK']));
    const session = await open();

    await echo(session);
    await echo(session);

    expect(hub.numbered).toEqual(['0 echo', '1 echo']);
    expect(hub.seen[1]?.headers).toMatchObject({
      'koji-session-id': '7',
      'koji-session-key': 'key-1',
      'koji-session-callnum': '0',
    });
    expect(hub.seen[1]?.query.size).toBe(0);
    expect(session.hubVersion).toBe('1.35.3');
  });

  it("knows the hub's version from the login on, and its subsessions do", async () => {
    hub.on('subsession', value({ 'session-id': 9, 'session-key': 'sub-1', 'header-auth': true }));

    const session = await open();

    expect(session.hubVersion).toBe('1.35.3');
    expect((await session.subsession()).hubVersion).toBe('1.35.3');
  });

  it('uses the URL for the session where the hub knows no headers for it', async () => {
    hub.on('login', value({ 'session-id': 7, 'session-key': 'key-1' })).on('echo', value(['OK']));
    const session = await open();

    await echo(session);

    expect(hub.seen[1]?.query.toString()).toBe('session-id=7&session-key=key-1&callnum=0');
    expect(hub.seen[1]?.headers).not.toHaveProperty('koji-session-id');
  });

  it('sends concurrent calls one at a time and in order', async () => {
    hub.on('echo', async ({ params }) => {
      await new Promise(setImmediate);
      return value([params[0] ?? null]);
    });
    const session = await open();

    const answers = await Promise.all(['a', 'b', 'c'].map((text) => echo(session, text)));

    expect(answers).toEqual([['a'], ['b'], ['c']]);
    expect(hub.numbered).toEqual(['0 echo', '1 echo', '2 echo']);
    expect(hub.mostAtOnce).toBe(1);
  });

  it('continues after a call that failed', async () => {
    hub.on('echo', fault(1000, 'no'), value(['OK']));
    const session = await open();

    const [first, second] = await Promise.allSettled([echo(session), echo(session)]);

    expect(first).toMatchObject({ status: 'rejected', reason: { faultCode: 1000, faultString: 'no' } });
    expect(second).toMatchObject({ status: 'fulfilled', value: ['OK'] });
  });

  it('marks keyword arguments', async () => {
    hub.on('getTag', value(null));
    const session = await open();

    await session.call('getTag', ['f43'], z.null(), { keywords: { strict: true } });

    expect(hub.seen[1]).toMatchObject({ params: ['f43'], keywords: { strict: true } });
  });

  it('names method and place when an answer has the wrong shape', async () => {
    hub.on('echo', value(['OK', 3]));
    const session = await open();

    const error = await failure(echo(session));

    expect(error).toBeInstanceOf(HubProtocolError);
    expect(String(error)).toMatch(/answer to echo .* 1: .*expected string/);
  });
});

describe('retries', () => {
  it('resends at once and under the same number when the connection breaks', async () => {
    hub.on('echo', 'drop', value(['OK']));
    const session = await open();

    await echo(session);
    await echo(session);

    expect(hub.numbered).toEqual(['0 echo', '0 echo', '1 echo']);
    expect(clock.slept).toEqual([]);
  });

  it('retries at once, then in growing waits of at most ten seconds', async () => {
    const down = { status: 502, body: '<html>Bad Gateway</html>' };
    hub.on('echo', down, down, down, down, down, down, down, value(['OK']));
    const session = await open();

    await echo(session);

    expect(new Set(hub.numbered)).toEqual(new Set(['0 echo']));
    expect(clock.slept).toEqual([0, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  });

  it('gives up when the time of all retries is used up', async () => {
    hub.on('echo', { status: 502, body: 'Bad Gateway' });
    const session = await open({ maxRetries: 2, retryIntervalMs: 5000 });

    const error = await failure(echo(session));

    expect(error).toMatchObject({ reason: 'status', status: 502 });
    expect(clock.slept).toEqual([0, 2000, 4000]);
  });

  it('waits for a hub that says it is offline, without counting', async () => {
    const offline = fault(1014, 'the hub is offline');
    hub.on('echo', ...Array.from({ length: 50 }, () => offline), value(['OK']));
    const session = await open({ maxRetries: 1 });

    await echo(session);

    expect(clock.slept).toHaveLength(50);
    expect(Math.max(...clock.slept)).toBe(10_000);
  });

  it('throws the offline fault when waiting is switched off', async () => {
    hub.on('echo', fault(1014, 'the hub is offline'));
    const session = await open({ offlineRetry: false });

    await expect(echo(session)).rejects.toMatchObject({ faultCode: 1014 });
  });

  it.each([
    [
      'a page instead of XML',
      { status: 200, body: '<html>Please log in</html>' },
      /does not answer like a Koji hub.*Please log in/,
    ],
    ['a wrong address', { status: 404, body: 'Not Found' }, /status 404 .*check the path in option "server"/],
    [
      'a redirect',
      { status: 302, body: '', headers: { Location: 'https://koji.example.com/?secret=1' } },
      /points to https:\/\/koji.example.com\/; check/,
    ],
  ])('explains %s', async (_name, reply, message) => {
    hub.on('echo', reply);
    const session = await open({ maxRetries: 0 });

    const error = await failure(echo(session));

    expect(error).toBeInstanceOf(HubTransportError);
    expect(String(error)).toMatch(message);
  });

  it('does not repeat a request that the server refuses as such', async () => {
    hub.on('echo', { status: 400, body: 'Request too long' });
    const session = await open();

    await expect(echo(session)).rejects.toMatchObject({ status: 400 });
    expect(clock.slept).toEqual([]);
  });
});

describe('lost answers', () => {
  it('asks the look-up when the hub says that the call was carried out before', async () => {
    hub.on('host.openTask', fault(1009, 'unable to retry call 0')).on('echo', value(['found']));
    const session = await open();

    const answer = await session.call('host.openTask', [1], z.array(z.string()), {
      retryError: () => echo(session),
    });

    expect(answer).toEqual(['found']);
    expect(hub.numbered).toEqual(['0 host.openTask', '1 echo']);
  });

  it('throws the fault when there is no look-up', async () => {
    hub.on('host.openTask', fault(1009, 'unable to retry call 0'));
    const session = await open();

    await expect(session.call('host.openTask', [1], z.unknown())).rejects.toMatchObject({ faultCode: 1009 });
  });

  it('asks the look-up when a call that was sent twice is refused', async () => {
    hub.on('host.closeTask', 'drop', fault(1004, 'host 1 does not own task 5'));
    const session = await open();

    const answer = await session.call('host.closeTask', [5, ''], z.unknown(), {
      retryError: async (reason) => reason.message,
    });

    expect(answer).toContain('does not own task 5');
  });

  it('does not ask it when the only attempt is refused', async () => {
    hub.on('host.closeTask', fault(1004, 'host 1 does not own task 5'));
    const session = await open();

    const call = session.call('host.closeTask', [5, ''], z.unknown(), { retryError: async () => 'closed' });

    await expect(call).rejects.toBeInstanceOf(HubFault);
  });

  it('asks it about a doubtful answer to a call that was sent twice', async () => {
    hub.on('host.openTask', 'drop', value(null), value(null));
    const session = await open();
    const openTask = (): Promise<unknown> =>
      session.call('host.openTask', [5], z.unknown(), {
        doubtful: (answer) => answer === null,
        retryError: async () => 'mine',
      });

    expect(await openTask()).toBe('mine');
    expect(await openTask()).toBeNull();
  });

  it('never sends a one-shot call twice when it may have been carried out', async () => {
    hub.on('host.completeBuild', 'drop');
    const session = await open();

    const answer = await session.call('host.completeBuild', [], z.unknown(), {
      once: true,
      retryError: async (reason) => (reason instanceof HubTransportError ? reason.reason : 'unexpected'),
    });

    expect(answer).toBe('dropped');
    expect(hub.numbered).toEqual(['0 host.completeBuild']);
  });
});

describe('renewal', () => {
  const renewed = { 'session-id': 7, 'session-key': 'key-2', 'header-auth': true };

  it('renews with the old key and the lock, counts on and repeats the call', async () => {
    hub.on('exclusiveSession', value(null)).on('echo', fault(1007, 'session "7" has expired'), value(['OK']));
    const session = await open();
    await session.exclusiveSession(false);
    hub.on('login', value(renewed));

    const answer = await echo(session);

    expect(answer).toEqual(['OK']);
    expect(hub.numbered).toEqual(['0 exclusiveSession', '1 echo', '2 login', '3 echo']);
    expect(hub.seen[3]).toMatchObject({
      keywords: { renew: true, exclusive: true },
      session: { key: 'key-1' },
    });
    expect(hub.seen[4]?.session?.key).toBe('key-2');
    expect(session.state().key).toBe('key-2');
  });

  it('renews a subsession for itself, without the lock', async () => {
    hub.on('subsession', value({ 'session-id': 9, 'session-key': 'sub-1', 'header-auth': true }));
    hub.on('echo', fault(1007, 'expired'), value(['OK']));
    const child = await (await open()).subsession();
    hub.on('login', value({ 'session-id': 9, 'session-key': 'sub-2', 'header-auth': true }));

    await echo(child);

    expect(child.info).toEqual({ id: 9, master: 7 });
    expect(hub.seen.at(-2)).toMatchObject({
      method: 'login',
      keywords: { exclusive: false },
      session: { id: 9 },
    });
  });

  it('ends the session when the main session is closed', async () => {
    hub.on('echo', fault(1007, 'expired'));
    const session = await open();
    hub.on('login', value(null));

    await expect(echo(session)).rejects.toBeInstanceOf(SessionLost);
  });

  it('does not renew for ever', async () => {
    hub.on('echo', fault(1007, 'expired'));
    const session = await open();
    hub.on('login', value(renewed));

    await expect(echo(session)).rejects.toMatchObject({ faultCode: 1007 });
    expect(hub.numbered).toEqual(['0 echo', '1 login', '2 echo']);
  });
});

describe('the exclusive lock', () => {
  it('is refused while another session has it', async () => {
    hub.on('exclusiveSession', fault(1006, 'Cannot get exclusive session'));
    const session = await open();

    await expect(session.exclusiveSession(false)).rejects.toMatchObject({ faultCode: 1006 });
  });

  it('counts as taken when the answer was lost and the session has it', async () => {
    hub.on('exclusiveSession', 'drop', fault(1000, 'session is already exclusive'));
    hub.on('getSessionInfo', value({ exclusive: true }));
    const session = await open();

    await session.exclusiveSession(true);

    expect(session.state().exclusive).toBe(true);
    expect(hub.seen[1]?.keywords).toEqual({ force: true });
  });

  it.each([
    [1002, 'Invalid session or bad credentials'],
    [1006, 'User locked by another session'],
  ])('ends the session with fault %i once it is lost', async (code, message) => {
    hub.on('host.getHostTasks', fault(code, message));
    const session = await open();

    const error = await failure(session.call('host.getHostTasks', [], z.unknown()));

    expect(error).toBeInstanceOf(SessionLost);
    expect(describeError(error)).toContain(message);
  });
});

describe('abort', () => {
  it('ends a call in flight', async () => {
    const controller = new AbortController();
    hub.on('echo', () => {
      controller.abort(new Error('task cancelled'));
      return 'hang';
    });
    const session = await open();

    const call = session.call('echo', ['x'], z.unknown(), { signal: controller.signal });

    await expect(call).rejects.toThrow('task cancelled');
  });

  it('ends a call that waits its turn, without using a number', async () => {
    const controller = new AbortController();
    const gate = Promise.withResolvers<void>();
    hub.on('slow', async () => {
      await gate.promise;
      return value(null);
    });
    hub.on('echo', value(['OK']));
    const session = await open();

    const slow = session.call('slow', [], z.null());
    const waiting = session.call('echo', ['x'], z.unknown(), { signal: controller.signal });
    controller.abort(new Error('task cancelled'));
    await expect(waiting).rejects.toThrow('task cancelled');
    gate.resolve();
    await slow;
    await echo(session);

    expect(hub.numbered).toEqual(['0 slow', '1 echo']);
  });
});

describe('logout', () => {
  it("is told to the log once, with the session's own id", async () => {
    hub.on('subsession', value({ 'session-id': 8, 'session-key': 'k8' }));
    hub.on('logout', value(null));
    const subsession = await (await open()).subsession();

    await subsession.logout();

    const line = logged.split('\n').find((each) => each.includes('session closed')) ?? '';
    expect(line.match(/"sessionId":\d+/g)).toEqual(['"sessionId":8']);
  });

  it('falls back to the old signature', async () => {
    hub.on('logout', fault(1019, 'unexpected keyword'), value(null));
    const session = await open();

    await session.logout();

    expect(hub.seen.slice(1).map(({ keywords }) => keywords)).toEqual([{ session_id: null }, {}]);
  });

  it('is content with a session that is gone', async () => {
    hub.on('logout', fault(1007, 'expired'));
    const session = await open();

    await expect(session.logout()).resolves.toBeUndefined();
  });
});

describe('state', () => {
  it('is saved before the numbers it covers are used, and good for resuming', async () => {
    const saved: SessionState[] = [];
    const removed: number[] = [];
    const journal = {
      save: async (state: SessionState) => void saved.push(state),
      find: async () => null,
      remove: async (id: number) => void removed.push(id),
    };
    hub.on('echo', value(['OK'])).on('logout', value(null));
    const session = await open({ journal });
    await echo(session);
    await echo(session);

    const [state] = saved;
    if (state === undefined) throw new Error('nothing was saved');
    const resumed = resumeSession(state, { ...options, journal }, auth, clock, transport, log);
    await echo(resumed);
    await resumed.logout();

    expect(saved.map(({ callnum }) => callnum)).toEqual([reservedCallnums, 2 * reservedCallnums]);
    expect(hub.numbered).toEqual([
      '0 echo',
      '1 echo',
      `${reservedCallnums} echo`,
      `${reservedCallnums + 1} logout`,
    ]);
    expect(removed).toEqual([7]);
  });

  it.each([
    ['that the disk has kept from being saved', 5_000, 5_000, 5_250, 250],
    ['in the same moment', 5_000, 5_000, 5_000, 0],
    ['before a reboot', 5_000, 5_000, 40, unsavedCallnums],
    ['that did not say when', 5_000, undefined, 6_000, unsavedCallnums],
  ])('continues beyond the numbers of runs %s', (_which, callnum, savedMs, uptimeMs, more) => {
    const state = { id: 1, key: 'k', callnum, master: null, exclusive: true, headerAuth: true };

    expect(firstCallnum({ ...state, savedMs }, uptimeMs)).toBe(callnum + more);
  });

  it('need not be saved while the disk is full', async () => {
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    const journal = {
      save: () => Promise.reject(full),
      find: async () => null,
      remove: async () => undefined,
    };
    hub.on('echo', value(['OK'])).on('logout', value(null));
    const session = await open({ journal });

    await echo(session);
    await session.logout();

    expect(hub.numbered).toEqual(['0 echo', '1 logout']);
    expect(logged).toContain('saving the hub session failed, continuing unsaved');
  });
});

describe('secrets', () => {
  it('are in no log and no error', async () => {
    hub.on('login', value({ 'session-id': 7, 'session-key': 'key-1' }));
    hub.on('echo', 'drop', { status: 500, body: 'oops' });
    const session = await open({ maxRetries: 1 });

    const error = await failure(echo(session));

    expect(logged).toContain('trying again');
    expect(logged + describeError(error) + JSON.stringify(error)).not.toMatch(/key-1|hush-hush/);
  });
});

import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { describeError, hasErrorCode } from '../core/errors.ts';
import { readProxies } from '../core/host-proxies.ts';
import { explainDistrust } from '../core/host-trust.ts';
import { HttpClient } from '../core/http-client.ts';
import { faultCodes } from '../core/koji-faults.ts';
import type { Logger } from '../core/logger.ts';
import type { HubAuth } from '../hub/auth/auth.ts';
import { isFault, SessionLost } from '../hub/faults.ts';
import { openSession } from '../hub/session/open-session.ts';
import type { HubSession } from '../hub/session/session.ts';
import { parseAnswer } from '../hub/session/session-info.ts';
import type { HubTransport } from '../hub/transport/transport.ts';
import { encodeCall, type RpcValue, withKeywords } from '../hub/xmlrpc/codec.ts';
import { decodeResponse } from '../hub/xmlrpc/decode.ts';
import { type Finding, fail, ok } from './finding.ts';
import {
  type HostRow,
  judgeChannels,
  judgeClock,
  judgeHost,
  judgeHubError,
  judgeHubVersion,
  judgeTopUrl,
  type TopUrlAnswer,
} from './hub.ts';

export interface HubUnderTest {
  readonly transport: HubTransport;
  readonly auth: HubAuth;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whom the hub will see, as far as the configuration tells; null when it does not. */
  readonly expectedUser: string | null;
}

/** Longest wait for an answer that needs no work of the hub. */
const answerTimeoutMs = 15_000;
const oneTry = { maxRetries: 0, retryIntervalMs: 0, offlineRetry: false, offlineRetryIntervalMs: 0 };

const User = z.object({ name: z.string() });
const Hosts = z.array(
  z
    .object({
      id: z.int(),
      name: z.string(),
      arches: z.string().nullable(),
      capacity: z.number(),
      enabled: z.boolean(),
    })
    .transform(
      (row): HostRow => ({ ...row, arches: (row.arches ?? '').split(' ').filter((arch) => arch !== '') }),
    ),
);
const Channels = z.array(z.object({ name: z.string(), enabled: z.boolean().optional() }));

/**
 * Looks at the hub, logs in and out again, and asks about this host. Neither takes the host's lock nor makes
 * a `host.` call, so a daemon that runs meanwhile does not notice; what needs no login is asked without,
 * for the hub lets no other session act as a host whose daemon holds the lock.
 */
export async function* checkHub(
  hub: HubUnderTest,
  host: { readonly arch: string; readonly hasTopDir: boolean },
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  const beforeMs = hub.clock.now();
  try {
    const { value, dateMs } = await ask(hub.transport, 'getKojiVersion', {}, z.string(), signal);
    yield judgeHubVersion(hub.transport.url, value);
    yield judgeClock(dateMs, beforeMs, hub.clock.now());
  } catch (error) {
    signal.throwIfAborted();
    yield judgeHubError('hub', error);
    return;
  }
  const { finding, user } = await logIn(hub, signal);
  yield finding;
  if (user !== null) yield* checkHost(hub.transport, user, host, signal);
}

async function logIn(
  { transport, auth, clock, log, expectedUser }: HubUnderTest,
  signal: AbortSignal,
): Promise<{ readonly finding: Finding; readonly user: string | null }> {
  let session: HubSession;
  try {
    session = await openSession(oneTry, auth, clock, transport, log, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!hasErrorCode(error, 'login-failed')) return { finding: judgeHubError('login', error), user: null };
    const remedy = 'correct the login in kojid.conf, or the user on the hub';
    return { finding: fail('login', error.message, remedy), user: null };
  }
  const accepted = `the hub accepts the ${auth.description}`;
  try {
    const { name } = await session.call('getLoggedInUser', [], User, { signal });
    return { finding: ok('login', accepted), user: name };
  } catch (error) {
    if (!(error instanceof SessionLost) || !isFault(error.cause, faultCodes.authLock)) throw error;
    return { finding: ok('login', `${accepted}; a builder runs with it at the moment`), user: expectedUser };
  } finally {
    await session.logout();
  }
}

async function* checkHost(
  transport: HubTransport,
  user: string,
  { arch, hasTopDir }: { readonly arch: string; readonly hasTopDir: boolean },
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  const hosts = await ask(transport, 'listHosts', { userID: user }, Hosts, signal);
  const [host = null] = hosts.value;
  yield* judgeHost(user, host, arch);
  if (host === null) return;
  const channels = await ask(transport, 'listChannels', { hostID: host.id }, Channels, signal);
  const open = channels.value.filter(({ enabled }) => enabled !== false).map(({ name }) => name);
  yield judgeChannels(host.name, open, hasTopDir);
}

/** Calls a method without a session. */
async function ask<T>(
  transport: HubTransport,
  method: string,
  keywords: Readonly<Record<string, RpcValue>>,
  answer: z.ZodType<T>,
  signal: AbortSignal,
): Promise<{ readonly value: T; readonly dateMs: number | null }> {
  const request = {
    path: '',
    query: '',
    headers: { 'Content-Type': 'text/xml' },
    body: Buffer.from(encodeCall(method, withKeywords([], keywords))),
    timeoutMs: answerTimeoutMs,
  } as const;
  const { body, dateMs } = await transport.post(request, signal);
  return { value: parseAnswer(method, answer, decodeResponse(body)), dateMs };
}

/** Whether the hub's files can be reached as the tasks do. */
export async function* checkTopUrls(urls: readonly string[], signal: AbortSignal): AsyncGenerator<Finding> {
  for (const url of urls) yield judgeTopUrl(url, await askFor(url, signal));
}

async function askFor(url: string, signal: AbortSignal): Promise<TopUrlAnswer> {
  try {
    if (url.startsWith('file:')) {
      await access(fileURLToPath(url));
      return { status: 200 };
    }
    const client = new HttpClient(readProxies(process.env));
    const limit = AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]);
    const answer = await client.ask(`${url.replace(/\/+$/, '')}/repos/`, 'HEAD', limit);
    answer.destroy();
    return { status: answer.statusCode ?? 0 };
  } catch (error) {
    signal.throwIfAborted();
    return { problem: describeError(explainDistrust(error)) };
  }
}

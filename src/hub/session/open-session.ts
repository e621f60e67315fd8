import type { Clock } from '../../core/clock.ts';
import { BuilderError } from '../../core/errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import type { Logger } from '../../core/logger.ts';
import type { HubAuth } from '../auth/auth.ts';
import { isFault } from '../faults.ts';
import type { HubTransport } from '../transport/transport.ts';
import { encodeCall } from '../xmlrpc/codec.ts';
import { LiveSession } from './live-session.ts';
import { sendWithRetries } from './retry.ts';
import { firstCallnum, type HubSession, type SessionOptions, type SessionState } from './session.ts';
import { parseAnswer, SessionInfo, toState } from './session-info.ts';

/** kojid's `auth_timeout`: how long a login may take. */
const authTimeoutMs = 60_000;

/** Logs in. Throws BuilderError `login-failed` when the hub does not accept who we are. */
export async function openSession(
  options: SessionOptions,
  auth: HubAuth,
  clock: Clock,
  transport: HubTransport,
  log: Logger,
  signal?: AbortSignal,
): Promise<HubSession> {
  const { method, params } = auth.loginCall();
  const request = {
    path: auth.path,
    query: '',
    headers: { 'Content-Type': 'text/xml' },
    body: Buffer.from(encodeCall(method, params)),
    timeoutMs: authTimeoutMs,
  };
  const settings = { ...options, clock, transport, log };
  try {
    // Like kojid, a start does not wait for a hub that is not there, only for one that says it is offline.
    const sent = await sendWithRetries(
      { ...settings, maxRetries: 0 },
      { method, request, once: false },
      signal,
    );
    if ('error' in sent) throw sent.error;
    const opened = parseAnswer(method, SessionInfo, sent.value);
    return new LiveSession(toState(opened, null), settings, auth, sent.hubVersion);
  } catch (error) {
    if (isFault(error, faultCodes.auth))
      throw new BuilderError(
        'login-failed',
        'builder',
        `the hub ${transport.url} did not accept the ${auth.description}: ${error.faultString}`,
        { cause: error },
      );
    throw error;
  }
}

/**
 * Resumes a session of an earlier process. Nothing is sent; whether the hub still knows the session
 * shows with the first call, by SessionLost if not.
 */
export function resumeSession(
  state: SessionState,
  options: SessionOptions,
  auth: HubAuth,
  clock: Clock,
  transport: HubTransport,
  log: Logger,
): HubSession {
  return new LiveSession(
    { ...state, callnum: firstCallnum(state, clock.uptime()) },
    { ...options, clock, transport, log },
    auth,
    null,
  );
}

import { z } from 'zod';
import { describeError } from '../../core/errors.ts';
import { isDiskFull, isReadOnlyDisk } from '../../core/fs-errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import type { HubAuth } from '../auth/auth.ts';
import { HubProtocolError, isFault, isRefusedFault, mayHaveBeenCarriedOut, SessionLost } from '../faults.ts';
import type { HubRequest } from '../transport/transport.ts';
import { encodeCall, type RpcValue, withKeywords } from '../xmlrpc/codec.ts';
import { type Outcome, type RetrySettings, sendWithRetries } from './retry.ts';
import {
  type CallOptions,
  firstCallnum,
  type HubSession,
  reservedCallnums,
  type SessionOptions,
  type SessionState,
  type UploadChunk,
  type UploadedChunk,
} from './session.ts';
import { parseAnswer, SessionInfo, toState } from './session-info.ts';
import { SessionStats } from './session-stats.ts';
import { rawUploadCall, uploadFileCall } from './upload-call.ts';

/** The session that `openSession` and `resumeSession` give out; see {@link HubSession}. */
export class LiveSession implements HubSession {
  readonly #settings: RetrySettings & SessionOptions;
  /** With a log that does not name this session, for others. */
  readonly #given: RetrySettings & SessionOptions;
  readonly #auth: HubAuth;
  readonly #traffic: SessionStats;
  #state: SessionState;
  /** Call numbers below this one are covered by what the journal holds. */
  #reserved = 0;
  /** Ends when the call that is in flight has ended. */
  #tail: Promise<unknown> = Promise.resolve();
  #hubVersion: string | null;

  /** `hubVersion` is what is known of it before the first call. */
  constructor(
    state: SessionState,
    settings: RetrySettings & SessionOptions,
    auth: HubAuth,
    hubVersion: string | null,
  ) {
    this.#state = state;
    this.#hubVersion = hubVersion;
    this.#given = settings;
    this.#settings = { ...settings, log: settings.log.child({ sessionId: state.id }) };
    this.#traffic = new SessionStats(settings.clock);
    this.#auth = auth;
  }

  get info(): HubSession['info'] {
    return { id: this.#state.id, master: this.#state.master };
  }

  get hubVersion(): string | null {
    return this.#hubVersion;
  }

  state(): SessionState {
    return this.#state;
  }

  async call<T>(
    method: string,
    params: readonly RpcValue[],
    answer: z.ZodType<T>,
    options: CallOptions<T> = {},
  ): Promise<T> {
    const { signal, keywords = {}, retryError = 'throw', doubtful, once = false } = options;
    const body = Buffer.from(encodeCall(method, withKeywords(params, keywords)));
    const sent = await this.#inOrder(signal, () =>
      this.#traffic.time('calls', 0, () => this.#exchange({ method, body, once }, signal)),
    );
    const lookUp = (reason: Error): Promise<T> => {
      if (retryError === 'throw') throw reason;
      this.#settings.log.info(
        { method, reason: reason.message },
        'answer to a hub call lost, looking up its effect',
      );
      return retryError(reason);
    };
    if ('error' in sent) {
      const { error, resent } = sent;
      const lost = once && mayHaveBeenCarriedOut(error);
      if (lost || isFault(error, faultCodes.retry) || (resent && isRefusedFault(error))) return lookUp(error);
      throw error;
    }
    const value = parseAnswer(method, answer, sent.value);
    if (sent.resent && retryError !== 'throw' && doubtful?.(value) === true)
      return lookUp(new HubProtocolError(`the answer of the first ${method} was lost`));
    return value;
  }

  async upload(
    chunk: UploadChunk,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<UploadedChunk> {
    const { signal } = options;
    const call = this.#settings.fastUpload === false ? uploadFileCall(chunk) : rawUploadCall(chunk);
    const sent = await this.#inOrder(signal, () =>
      this.#traffic.time('uploads', chunk.bytes.length, () => this.#exchange(call, signal)),
    );
    if ('error' in sent) throw sent.error;
    return { problem: call.problemOf(sent.value), resent: sent.resent };
  }

  async subsession(signal?: AbortSignal): Promise<HubSession> {
    const info = await this.call('subsession', [], SessionInfo, {
      signal,
      // The one whose answer was lost ends with its master.
      retryError: () => this.call('subsession', [], SessionInfo, { signal }),
    });
    const state = toState(info, this.#state.master ?? this.#state.id);
    return new LiveSession(state, this.#given, this.#auth, this.#hubVersion);
  }

  async resumeSubsession(id: number): Promise<HubSession | null> {
    const state = (await this.#settings.journal?.find(id)) ?? null;
    const master = this.#state.master ?? this.#state.id;
    if (state === null || state.master !== master) return null;
    const callnum = firstCallnum(state, this.#settings.clock.uptime());
    return new LiveSession({ ...state, callnum }, this.#given, this.#auth, this.#hubVersion);
  }

  async exclusiveSession(force: boolean, signal?: AbortSignal): Promise<void> {
    if (this.#state.exclusive) return;
    await this.call('exclusiveSession', [], z.unknown(), {
      signal,
      keywords: { force },
      retryError: async (reason) => {
        const info = await this.call('getSessionInfo', [], z.object({ exclusive: z.boolean().nullable() }), {
          signal,
        });
        if (info.exclusive !== true) throw reason;
      },
    });
    this.#state = { ...this.#state, exclusive: true };
    await this.#reserve();
  }

  async logout(): Promise<void> {
    const attempt = (keywords: Record<string, RpcValue>): Promise<unknown> =>
      this.#inOrder(undefined, async () => {
        const body = Buffer.from(encodeCall('logout', withKeywords([], keywords)));
        const request = await this.#request({ method: 'logout', body, once: false });
        const sent = await sendWithRetries(
          { ...this.#settings, maxRetries: Math.min(this.#settings.maxRetries, 1), offlineRetry: false },
          { method: 'logout', request, once: false },
        );
        if ('error' in sent) throw sent.error;
      });
    try {
      await attempt({ session_id: null }).catch(async (error: unknown) => {
        // Hubs before 1.31 know no session_id.
        if (isFault(error, faultCodes.parameter)) return attempt({});
        // An expired session still holds the host's lock.
        if (!isFault(error, faultCodes.authExpired)) throw error;
        await this.#inOrder(undefined, () => this.#renew(undefined));
        return attempt({ session_id: null });
      });
    } catch (error) {
      if (error instanceof SessionLost) return await this.#forget();
      if (!isFault(error, faultCodes.auth, faultCodes.authLock, faultCodes.authExpired)) throw error;
    }
    await this.#forget();
  }

  async #forget(): Promise<void> {
    this.#settings.log.info(this.#traffic.sums(), 'session closed');
    await this.#settings.journal?.remove(this.#state.id);
  }

  /** Runs `work` when all earlier calls of this session have ended. */
  #inOrder<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const mine = this.#tail.then(() => {
      signal?.throwIfAborted();
      return work();
    });
    // Only the order matters to the next call; the error goes to the caller of this one.
    this.#tail = mine.catch(() => undefined);
    return untilAborted(mine, signal);
  }

  /** Sends one call under a new call number, and once more after renewing the session if it has expired. */
  async #exchange(call: OutgoingCall, signal: AbortSignal | undefined): Promise<Outcome> {
    const first = await this.#send(call, signal);
    if (!('error' in first) || !isFault(first.error, faultCodes.authExpired)) return first;
    await this.#renew(signal);
    const second = await this.#send(call, signal);
    return { ...second, resent: first.resent || second.resent };
  }

  async #send(call: OutgoingCall, signal: AbortSignal | undefined): Promise<Outcome> {
    const request = await this.#request(call);
    const sent = await sendWithRetries(this.#settings, { ...call, request }, signal);
    if ('value' in sent) {
      this.#hubVersion = sent.hubVersion ?? this.#hubVersion;
      return sent;
    }
    const { error } = sent;
    // Not getting the lock is an answer; being locked out is the end.
    const lockedOut = isFault(error, faultCodes.authLock) && call.method !== 'exclusiveSession';
    if (isFault(error, faultCodes.auth) || lockedOut)
      throw new SessionLost(`the hub does not let this session continue: ${error.faultString}`, {
        cause: error,
      });
    return sent;
  }

  /**
   * Revives an expired session: the hub keeps its id, number and lock, and gives it a new key. The call
   * numbers continue; kojid starts again at 0, which hubs after 1.35 refuse.
   */
  async #renew(signal: AbortSignal | undefined): Promise<void> {
    this.#settings.log.info('hub session expired, renewing it');
    const { method, params } = this.#auth.loginCall({ exclusive: this.#state.exclusive });
    const body = Buffer.from(encodeCall(method, params));
    const sent = await this.#send({ method, body, once: false, path: this.#auth.path }, signal);
    if ('error' in sent) throw sent.error;
    const renewed = parseAnswer(method, SessionInfo.nullable(), sent.value);
    if (renewed === null)
      throw new SessionLost('the hub does not renew this session, because its main session is closed');
    this.#state = { ...this.#state, key: renewed['session-key'] };
    await this.#reserve();
  }

  /** The HTTP request for a call, under the next call number. */
  async #request({ body, path = '', uploadQuery }: OutgoingCall): Promise<HubRequest> {
    if (this.#state.callnum >= this.#reserved) await this.#reserve();
    const { id, key, callnum, headerAuth } = this.#state;
    this.#state = { ...this.#state, callnum: callnum + 1 };
    const query = uploadQuery ?? new URLSearchParams();
    const type = uploadQuery === undefined ? 'text/xml' : 'application/octet-stream';
    if (headerAuth) {
      const headers = {
        'Content-Type': type,
        'Koji-Session-Id': String(id),
        'Koji-Session-Key': key,
        'Koji-Session-Callnum': String(callnum),
      };
      return { path, query: query.toString(), headers, body };
    }
    query.set('session-id', String(id));
    query.set('session-key', key);
    query.set('callnum', String(callnum));
    return { path, query: query.toString(), headers: { 'Content-Type': type }, body };
  }

  /** Puts the present key and the next block of call numbers into the journal. */
  async #reserve(): Promise<void> {
    const { journal } = this.#settings;
    if (journal === undefined) return;
    const upTo = this.#state.callnum + reservedCallnums;
    try {
      await journal.save({ ...this.#state, callnum: upTo, savedMs: this.#settings.clock.uptime() });
    } catch (error) {
      if (!isDiskFull(error) && !isReadOnlyDisk(error)) throw error;
      this.#settings.log.warn(
        { reason: describeError(error) },
        'saving the hub session failed, continuing unsaved',
      );
    }
    this.#reserved = upTo;
  }
}

interface OutgoingCall {
  readonly method: string;
  readonly body: Uint8Array;
  readonly once: boolean;
  readonly path?: '' | '/ssllogin';
  /** The arguments of `rawUpload`, which are not in its body. */
  readonly uploadQuery?: URLSearchParams;
}

/** The promise, or the signal's reason as soon as it is aborted. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}

import type { Clock } from '../../core/clock.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import type { Logger } from '../../core/logger.ts';
import { HubFault, HubProtocolError, HubTransportError, isFault, mayHaveBeenCarriedOut } from '../faults.ts';
import type { HubRequest, HubTransport } from '../transport/transport.ts';
import type { RpcValue } from '../xmlrpc/codec.ts';
import { decodeResponse } from '../xmlrpc/decode.ts';

/** How long to keep trying; kojid's options of the same names, with units. */
export interface RetryOptions {
  /** `max_retries` of `retry_interval` length each: how long an outage may last before a call fails. */
  readonly maxRetries: number;
  readonly retryIntervalMs: number;
  /** `offline_retry`: wait for as long as it takes while the hub itself says that it is offline (1014). */
  readonly offlineRetry: boolean;
  readonly offlineRetryIntervalMs: number;
}

/** {@link RetryOptions} with what is needed to act on them. */
export interface RetrySettings extends RetryOptions {
  readonly clock: Clock;
  readonly transport: HubTransport;
  readonly log: Logger;
}

/** One encoded call, sent unchanged at each attempt. */
export interface Sending {
  readonly method: string;
  readonly request: HubRequest;
  /** Never send it again when an earlier attempt may have been carried out. */
  readonly once: boolean;
}

/**
 * How sending ended. `resent` says that an attempt before the last one may have been carried out by the
 * hub, so that the last answer may be about a repetition.
 */
export type Outcome =
  | { readonly resent: boolean; readonly value: RpcValue; readonly hubVersion: string | null }
  | { readonly resent: boolean; readonly error: HubFault | HubTransportError };

/**
 * An outage is probed at least this often. The hub frees all tasks of a host that is silent for 15 minutes,
 * so the intervals of kojid (60 and 120 seconds) are only taken where they are shorter.
 */
const longestWaitMs = 10_000;
const shortestWaitMs = 1_000;

/**
 * Sends a request until the hub has answered or the retries are used up, by the rules of
 * `ClientSession._callMethod`: a broken connection is replaced at once, once per try; the first retry
 * comes at once, later ones after waits that grow up to `retryIntervalMs`, where a wait of a part of it uses
 * up that part of a retry; faults are answers, except 1014, which waits without counting. Unlike kojid,
 * errors that only a change of configuration can mend are not retried. Rejects only when aborted.
 */
export async function sendWithRetries(
  settings: RetrySettings,
  sending: Sending,
  signal?: AbortSignal,
): Promise<Outcome> {
  const { clock, log, maxRetries, retryIntervalMs } = settings;
  const { method, once } = sending;
  let resent = false;
  let replaced = false;
  let usedRetries = 0;
  let failures = 0;
  for (;;) {
    const result = await attempt(settings.transport, sending.request, signal);
    if ('value' in result) {
      if (failures > 0) log.info({ method, failures }, 'the hub answers again');
      return { ...result, resent };
    }
    const { error } = result;
    const offline = isFault(error, faultCodes.serverOffline) && settings.offlineRetry;
    if (error instanceof HubFault && !offline) return { error, resent };
    const lost = mayHaveBeenCarriedOut(error);
    if (isLasting(error) || (once && lost)) return { error, resent };
    resent ||= lost;
    if (isDropped(error) && !replaced) {
      // Most often the hub closed an idle connection at the moment it was used.
      replaced = true;
      settings.transport.dropConnections();
      continue;
    }
    if (!offline && usedRetries >= maxRetries) return { error, resent };
    const longest = Math.min(offline ? settings.offlineRetryIntervalMs : retryIntervalMs, longestWaitMs);
    const firstRetry = failures === 0 && !offline;
    const waitMs = firstRetry ? 0 : Math.min(longest, shortestWaitMs * 2 ** Math.min(failures, 16));
    usedRetries = offline ? 0 : usedRetries + (waitMs === 0 ? 1 : waitMs / retryIntervalMs);
    failures += 1;
    replaced = false;
    log[failures === 1 ? 'warn' : 'debug'](
      { method, failures, waitMs, reason: error.message },
      'no answer from the hub, trying again',
    );
    await clock.sleep(waitMs, signal);
  }
}

type Attempt =
  | { readonly value: RpcValue; readonly hubVersion: string | null }
  | { readonly error: HubFault | HubTransportError };

async function attempt(transport: HubTransport, request: HubRequest, signal?: AbortSignal): Promise<Attempt> {
  try {
    const answer = await transport.post(request, signal);
    return { value: decodeResponse(answer.body), hubVersion: answer.hubVersion };
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    if (error instanceof HubFault || error instanceof HubTransportError) return { error };
    if (error instanceof HubProtocolError) return { error: notXmlRpc(error, transport.url) };
    throw error;
  }
}

function notXmlRpc(cause: HubProtocolError, url: string): HubTransportError {
  const message = `${url} does not answer like a Koji hub (check option "server" and proxies): ${cause.message}`;
  return new HubTransportError('not-xmlrpc', message, { cause, status: 200 });
}

function isDropped(error: HubFault | HubTransportError): boolean {
  return error instanceof HubTransportError && error.reason === 'dropped';
}

/** Statuses by which the web server refuses this very request, whenever it comes. */
const lastingStatuses: ReadonlySet<number> = new Set([400, 405, 411, 413]);

function isLasting(error: HubFault | HubTransportError): boolean {
  if (error instanceof HubFault) return false;
  if (error.reason === 'status') return lastingStatuses.has(error.status ?? 0);
  return error.reason === 'tls' || error.reason === 'too-large';
}

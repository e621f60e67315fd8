import { BuilderError, type Disposition } from '../core/errors.ts';
import { type FaultCode, faultCodes } from '../core/koji-faults.ts';

/** The hub understood the request and answered with a fault; `faultCode` is one of Koji's numbers. */
export class HubFault extends BuilderError {
  override readonly faultCode: number;
  readonly faultString: string;

  constructor(faultCode: number, faultString: string, options?: ErrorOptions) {
    super('hub-fault', 'external', `the hub answered with fault ${faultCode}: ${faultString}`, options);
    this.faultCode = faultCode;
    this.faultString = faultString;
  }
}

/** Why a request brought no usable answer. */
export type TransportReason =
  /** Name not resolved, connection refused, no route: the request was not delivered. */
  | 'unreachable'
  /** The connection broke after it was made: whether the hub acted on the request is unknown. */
  | 'dropped'
  | 'timeout'
  /** The certificates do not fit; trying again cannot help. */
  | 'tls'
  /** No Kerberos ticket could be had or was taken: the configuration has to be fixed, here or there. */
  | 'login'
  /** An HTTP status other than 200, usually from a proxy or web server in front of the hub. */
  | 'status'
  /** HTTP 200 with a body that is no XML-RPC document, such as the page of a proxy. */
  | 'not-xmlrpc'
  | 'too-large';

/** No usable answer came from the hub. `status` is the HTTP status, when there was one. */
export class HubTransportError extends BuilderError {
  readonly reason: TransportReason;
  readonly status: number | null;
  override readonly disposition: Disposition;

  constructor(
    reason: TransportReason,
    message: string,
    options: ErrorOptions & { readonly status?: number } = {},
  ) {
    super(`hub-${reason}`, 'external', message, options);
    this.reason = reason;
    this.status = options.status ?? null;
    // A request or an answer that is too large stays so, on every host.
    const again = reason === 'too-large' || this.status === 400 || this.status === 413;
    this.disposition = again ? 'fail' : 'free';
  }
}

/** An answer that breaks the protocol: no XML-RPC, or a value of another shape than Koji promises. */
export class HubProtocolError extends BuilderError {
  constructor(message: string, options?: ErrorOptions) {
    super('hub-protocol', 'external', message, options);
  }
}

/**
 * The session is gone for good (closed, or another builder took the exclusive lock): the daemon has to
 * stop, as every further call would fail too.
 */
export class SessionLost extends BuilderError {
  override readonly disposition = 'nothing';

  constructor(message: string, options?: ErrorOptions) {
    super('session-lost', 'external', message, options);
  }
}

/** Whether `error` is a fault of the hub with one of these codes. */
export function isFault(error: unknown, ...codes: readonly FaultCode[]): error is HubFault {
  return error instanceof HubFault && codes.some((code) => code === error.faultCode);
}

/** Whether the hub said that this call had been carried out before (its first answer was lost). */
export function isRetryFault(error: unknown): error is HubFault {
  return isFault(error, faultCodes.retry);
}

/** Whether the thing asked about is in another state, tagged already, unknown, or not ours (1000, 1003, 1004). */
export function isRefusedFault(error: unknown): error is HubFault {
  return isFault(error, faultCodes.generic, faultCodes.tag, faultCodes.actionNotAllowed);
}

/** Whether the hub could not be asked, rather than that something is wrong with what was asked about. */
export function isHubTrouble(error: unknown): boolean {
  return (
    error instanceof HubTransportError ||
    error instanceof SessionLost ||
    isFault(error, faultCodes.authExpired, faultCodes.sequence, faultCodes.serverOffline)
  );
}

const undelivered: ReadonlySet<TransportReason> = new Set(['unreachable', 'tls', 'login']);

/**
 * Whether the hub may have acted on a request that ended in this error. A fault is an answer, a refused
 * connection delivered nothing, and an HTTP status below 500 was given before the hub did anything.
 */
export function mayHaveBeenCarriedOut(error: HubFault | HubTransportError): boolean {
  if (error instanceof HubFault || undelivered.has(error.reason)) return false;
  return error.reason !== 'status' || (error.status ?? 0) >= 500;
}

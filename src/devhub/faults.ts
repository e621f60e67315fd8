import { type FaultCode, faultCodes } from '../core/koji-faults.ts';

/** A refusal: thrown by a handler, it undoes what the call has written and becomes the fault of its answer. */
export class Refusal extends Error {
  readonly code: FaultCode;

  constructor(code: FaultCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Refusal';
    this.code = code;
  }
}

/** A request that is no XML-RPC call at all: answered with HTTP 400, not with a fault. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

/** 1000: wrong state, bad argument or unknown thing. */
export function generic(message: string): Refusal {
  return new Refusal(faultCodes.generic, message);
}

/** 1004: the thing exists, but it is not the caller's. */
export function notAllowed(message: string): Refusal {
  return new Refusal(faultCodes.actionNotAllowed, message);
}

/** The value, or the refusal `message` when there is none. */
export function required<T>(value: T | undefined | null, message: string): T {
  if (value === undefined || value === null) throw generic(message);
  return value;
}

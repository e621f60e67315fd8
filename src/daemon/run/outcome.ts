import { BuilderError, describeError, hasErrorCode } from '../../core/errors.ts';
import { isDiskFull, isReadOnlyDisk, saysDiskFull } from '../../core/fs-errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import type { Logger } from '../../core/logger.ts';
import { printableLines } from '../../core/printable.ts';
import { HubFault } from '../../hub/faults.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { TaskCancelled } from '../../tasks/errors.ts';

/** How a task ended, and what the hub is told about it. Exactly one of these. */
export type Outcome =
  | { readonly kind: 'close'; readonly result: RpcValue }
  | Failure
  /** Another host may try; soft: this one, too, after a while. */
  | { readonly kind: 'refuse'; readonly soft: boolean; readonly message: string }
  /** Back into the queue: the fault is ours or the network's. */
  | { readonly kind: 'free'; readonly message: string }
  /** The task is not ours any more, or what stopped it reports to the hub. */
  | { readonly kind: 'nothing' };

/** The task is failed with this fault. `bug`: one of this program. */
export interface Failure {
  readonly kind: 'fail';
  readonly code: number;
  readonly message: string;
  readonly bug: boolean;
}

/** What a task that threw can end in. */
export type NoResult = Exclude<Outcome, { readonly kind: 'close' }>;

const kinds: ReadonlySet<unknown> = new Set([
  'close',
  'fail',
  'refuse',
  'free',
  'nothing',
] satisfies Outcome['kind'][]);

/** Whether what was recorded is an outcome. */
export function isOutcome(value: unknown): value is Outcome {
  return typeof value === 'object' && value !== null && 'kind' in value && kinds.has(value.kind);
}

/**
 * Turns whatever a task threw into what the hub is told (`koji/daemon.py runTask`): each error of ours says itself what becomes of the
 * task, Koji's own faults pass with code and text, and anything unknown fails it with code 1, as a bug of ours. `isRoomShort`: the
 * disk was looked at, and is short of room.
 */
export function outcomeOf(error: unknown, isRoomShort = false): NoResult {
  // Here there is no room, somewhere else there may be; and here again, when it was made.
  if (isDiskFull(error) || (isRoomShort && mayBeForRoom(error)))
    return { kind: 'refuse', soft: true, message: `the disk of this host is full: ${describeError(error)}` };
  if (isReadOnlyDisk(error))
    return {
      kind: 'refuse',
      soft: true,
      message: `the disk of this host cannot be written to: ${describeError(error)}`,
    };
  if (!(error instanceof BuilderError)) return bug(error);
  const message = error instanceof HubFault ? error.faultString : error.message;
  switch (error.disposition) {
    case 'fail':
      return { kind: 'fail', code: error.faultCode, message, bug: false };
    case 'refuse-hard':
      return { kind: 'refuse', soft: false, message };
    case 'refuse-soft':
      return { kind: 'refuse', soft: true, message };
    case 'free':
      return { kind: 'free', message };
    case 'nothing':
      return { kind: 'nothing' };
  }
}

/** Whether the engine has failed and says that it had no room; it may quote names of files, so the disk has to be looked at. */
export function mayBeForRoom(error: unknown): boolean {
  return hasErrorCode(error, 'engine-failed', 'start-failed') && saysDiskFull(error.message);
}

function bug(error: unknown): Failure {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    kind: 'fail',
    code: faultCodes.unhandled,
    message: `${describeError(error)}\n${printableLines(text)}`,
    bug: true,
  };
}

/** Says in the task's log how it ended without a result; `error` is what it threw. */
export function logOutcome(log: Logger, outcome: NoResult, error: unknown): void {
  switch (outcome.kind) {
    case 'fail':
      if (outcome.bug) log.error({ err: error }, 'task failed: bug in this builder');
      else
        log.info(
          { fault: outcome.code, reason: outcome.message, cause: describeError(error) },
          'task failed',
        );
      return;
    case 'refuse':
      log.warn({ reason: outcome.message, soft: outcome.soft }, 'task refused after opening');
      return;
    case 'free':
      log.warn({ reason: outcome.message }, 'task freed, it goes back to the queue');
      return;
    case 'nothing':
      log.info(
        { reason: error instanceof TaskCancelled ? error.reason : describeError(error) },
        'task stopped',
      );
  }
}

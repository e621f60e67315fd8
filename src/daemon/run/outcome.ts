import { BuildrootStepFailed, StepTimedOut } from '../../buildroot/errors.ts';
import { ContainerError } from '../../container/errors.ts';
import { BuilderError, describeError } from '../../core/errors.ts';
import { isDiskFull, isReadOnlyDisk, saysDiskFull } from '../../core/fs-errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import type { Logger } from '../../core/logger.ts';
import { printableLines } from '../../core/printable.ts';
import { HubFault, HubProtocolError, HubTransportError, SessionLost } from '../../hub/faults.ts';
import { HubFileError } from '../../hub/files.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { TaskCancelled, TaskRefused } from '../../tasks/errors.ts';

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
 * Turns whatever a task threw into what the hub is told (`koji/daemon.py runTask`): Koji's own faults pass
 * with code and text; what is the package's or the request's fault fails the task; what is this host's
 * or the network's leaves it to another try; anything unknown fails it with code 1, as a bug of ours. `isRoomShort`: the disk was
 * looked at, and is short of room.
 */
export function outcomeOf(error: unknown, isRoomShort = false): NoResult {
  if (error instanceof TaskCancelled || error instanceof SessionLost) return { kind: 'nothing' };
  if (error instanceof TaskRefused) return { kind: 'refuse', soft: error.soft, message: error.message };
  if (error instanceof HubFault) return fail(error.faultCode, error.faultString);
  // Here there is no room, somewhere else there may be; and here again, when it was made.
  if (isDiskFull(error) || (isRoomShort && mayBeForRoom(error)))
    return { kind: 'refuse', soft: true, message: `the disk of this host is full: ${describeError(error)}` };
  if (isReadOnlyDisk(error))
    return {
      kind: 'refuse',
      soft: true,
      message: `the disk of this host cannot be written to: ${describeError(error)}`,
    };
  if (error instanceof HubProtocolError) return fail(faultCodes.generic, error.message);
  if (error instanceof HubTransportError)
    return wouldHappenAgain(error)
      ? fail(faultCodes.generic, error.message)
      : { kind: 'free', message: error.message };
  if (error instanceof HubFileError && !error.missing) return { kind: 'free', message: error.message };
  if (error instanceof BuildrootStepFailed) return fail(faultCodes.buildroot, error.message);
  if (error instanceof ContainerError) return containerOutcome(error);
  // It was tried twice here.
  if (error instanceof StepTimedOut && error.elsewhere)
    return { kind: 'refuse', soft: true, message: error.message };
  if (error instanceof BuilderError) {
    // The next host starts from the beginning.
    if (['history-diverged', 'log-damaged'].includes(error.code))
      return { kind: 'free', message: error.message };
    if (error.code === 'buildroot-unsupported')
      return { kind: 'refuse', soft: false, message: error.message };
    if (['host-lacks', 'step-not-begun'].includes(error.code))
      return { kind: 'refuse', soft: true, message: error.message };
    return fail(
      faultCodeOf(error) ?? (error.blame === 'package' ? faultCodes.build : faultCodes.generic),
      error.message,
    );
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    kind: 'fail',
    code: faultCodes.unhandled,
    message: `${describeError(error)}\n${printableLines(text)}`,
    bug: true,
  };
}

/** Whether the engine has failed and says that it had no room; it may quote names of files, so the disk has to be looked at. */
export function mayBeForRoom(error: unknown): boolean {
  return (
    error instanceof ContainerError &&
    ['engine-failed', 'start-failed'].includes(error.code) &&
    saysDiskFull(error.message)
  );
}

/** A request or an answer that is too large stays so, on every host. */
function wouldHappenAgain({ reason, status }: HubTransportError): boolean {
  return reason === 'too-large' || status === 400 || status === 413;
}

function containerOutcome(error: ContainerError): NoResult {
  switch (error.code) {
    case 'image-missing':
    case 'image-denied':
    case 'no-such-path':
      return fail(faultCodes.buildroot, error.message);
    case 'image-unreachable':
      return { kind: 'refuse', soft: true, message: error.message };
    case 'runtime-down':
    case 'no-such-container':
    case 'end-unseen':
      return { kind: 'free', message: error.message };
    case 'bad-spec':
    case 'start-failed':
    case 'engine-failed':
    case 'disk-full':
      return fail(faultCodes.buildroot, error.message);
  }
}

/** Errors that stand for one of Koji's exceptions carry its code. */
function faultCodeOf(error: BuilderError): number | null {
  return 'faultCode' in error && typeof error.faultCode === 'number' ? error.faultCode : null;
}

function fail(code: number, message: string): Failure {
  return { kind: 'fail', code, message, bug: false };
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

import { type Blame, BuilderError, type Disposition } from '../core/errors.ts';
import { type FaultCode, faultCodes } from '../core/koji-faults.ts';

/** The task has failed: the hub gets this code and this message, and the task's owner reads them. */
export class TaskFault extends BuilderError {
  override readonly faultCode: FaultCode;

  constructor(code: FaultCode, blame: Blame, message: string, options?: ErrorOptions) {
    super(`task-fault-${code}`, blame, message, options);
    this.faultCode = code;
  }
}

/** This host cannot run the task, another may: soft for a while, hard for as long as the task lives. */
export class TaskRefused extends BuilderError {
  override readonly disposition: Disposition;

  constructor(message: string, options: ErrorOptions & { readonly soft: boolean }) {
    super('task-refused', 'builder', message, options);
    this.disposition = options.soft ? 'refuse-soft' : 'refuse-hard';
  }
}

/** The task was tried too often: it is not run, and fails with fault 1000. */
export class TaskGivenUp extends TaskFault {
  constructor(why: string) {
    super(faultCodes.generic, 'request', why);
  }
}

/** Why a running task is to end without a result; the reason of its abort signal. */
export type CancelReason = 'canceled' | 'reassigned' | 'shutdown' | 'session-lost';

/** The task was stopped from outside. */
export class TaskCancelled extends BuilderError {
  override readonly disposition = 'nothing';
  readonly reason: CancelReason;

  constructor(reason: CancelReason) {
    super('task-cancelled', 'external', `the task was stopped: ${reason}`);
    this.reason = reason;
  }
}

import { type Blame, BuilderError, type Disposition } from '../core/errors.ts';
import { faultCodes } from '../core/koji-faults.ts';

export type ContainerErrorCode =
  | 'runtime-down'
  | 'image-missing'
  | 'image-denied'
  | 'image-unreachable'
  | 'bad-spec'
  | 'start-failed'
  | 'no-such-path'
  | 'no-such-container'
  /** A container has ended, or its monitor has, and the engine does not notice: how it ended is unknown. */
  | 'end-unseen'
  | 'engine-failed'
  /** There was no room for the output of a container, or for what the engine was asked to do. */
  | 'disk-full';

const natureOf: Readonly<Record<ContainerErrorCode, readonly [Blame, Disposition]>> = {
  'runtime-down': ['builder', 'free'],
  'image-missing': ['request', 'fail'],
  'image-denied': ['request', 'fail'],
  'image-unreachable': ['external', 'refuse-soft'],
  'bad-spec': ['builder', 'fail'],
  'start-failed': ['builder', 'fail'],
  'no-such-path': ['package', 'fail'],
  'no-such-container': ['builder', 'free'],
  'end-unseen': ['builder', 'free'],
  'engine-failed': ['builder', 'fail'],
  'disk-full': ['builder', 'refuse-soft'],
};

/** A failure of the container engine, or of something asked of it. */
export class ContainerError extends BuilderError {
  declare readonly code: ContainerErrorCode;
  override readonly disposition: Disposition;
  override readonly faultCode = faultCodes.buildroot;

  constructor(code: ContainerErrorCode, message: string, options?: ErrorOptions) {
    const [blame, disposition] = natureOf[code];
    super(code, blame, message, options);
    this.disposition = disposition;
  }
}

/** Whether a container did not start because its root has no such command, in the words of Podman for every runtime. */
export function lacksCommand(error: unknown): boolean {
  return (
    error instanceof ContainerError &&
    error.code === 'start-failed' &&
    /attempted to invoke a command that was not found/i.test(error.message)
  );
}

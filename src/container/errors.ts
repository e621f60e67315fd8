import { type Blame, BuilderError } from '../core/errors.ts';

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

const blameOf: Record<ContainerErrorCode, Blame> = {
  'runtime-down': 'builder',
  'image-missing': 'request',
  'image-denied': 'request',
  'image-unreachable': 'external',
  'bad-spec': 'builder',
  'start-failed': 'builder',
  'no-such-path': 'package',
  'no-such-container': 'builder',
  'end-unseen': 'builder',
  'engine-failed': 'builder',
  'disk-full': 'builder',
};

/** A failure of the container engine, or of something asked of it. */
export class ContainerError extends BuilderError {
  declare readonly code: ContainerErrorCode;

  constructor(code: ContainerErrorCode, message: string, options?: ErrorOptions) {
    super(code, blameOf[code], message, options);
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

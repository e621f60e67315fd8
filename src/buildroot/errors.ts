import { BuilderError } from '../core/errors.ts';
import { faultCodes } from '../core/koji-faults.ts';

/**
 * A step of a buildroot ended badly because of the package, the repo or the tag. The status is the one
 * that mock would have ended with (rpmbuild's own, 10 %generate_buildrequires, 11 timeout, 30 package manager, 40
 * source package or no results), for tools that read it from the fault.
 */
export class BuildrootStepFailed extends BuilderError {
  override readonly faultCode = faultCodes.buildroot;
  readonly step: string;
  readonly status: number;
  /** `exited with status N; see X for more information`, and the limit or reason where it is known: what a task's fault says. */
  readonly end: string;
  /** The limit that the step has run into, in words: `killed by the disk limit of 10 GiB (peak 10.3 GiB)`. */
  readonly limit: string | null;

  constructor(step: string, status: number, options: ErrorOptions & FailureDetails = {}) {
    const { limit = null } = options;
    const why = limit ?? options.reason;
    const end = `${describeStatus(status)}${why === undefined ? '' : `: ${why}`}`;
    super('buildroot-step-failed', 'package', `${step} ${end}`, options);
    this.step = step;
    this.status = status;
    this.end = end;
    this.limit = limit;
  }

  /** The message sends the reader to root.log and nowhere else. */
  get readsRootLog(): boolean {
    return logToRead(this.status) === 'root.log';
  }
}

/** What is known of a failed step besides its status. */
interface FailureDetails {
  readonly limit?: string;
  /** What was wrong, and what to do, in one line. */
  readonly reason?: string;
}

/** The reason why no package can be built in a root: what it has not, and what to do. */
export function rootLacks(program: 'bash' | 'rpm' | 'rpmbuild'): string {
  const packages = program === 'bash' ? '' : ' (rpm-build)';
  return `the root has no ${program}: the tag's build group must bring it${packages}`;
}

/** A buildroot cannot be had; Koji's fault 1012. */
export class BuildrootUnavailable extends BuilderError {
  override readonly faultCode = faultCodes.buildroot;

  constructor(message: string, options?: ErrorOptions) {
    super('buildroot-unavailable', 'request', message, options);
  }
}

/** This builder has no way to do it, another may have. */
export class BuildrootUnsupported extends BuilderError {
  override readonly disposition = 'refuse-hard';

  constructor(message: string) {
    super('buildroot-unsupported', 'builder', message);
  }
}

/** What the site file opens is not there on this host, which may be another time. */
export class HostLacks extends BuilderError {
  override readonly disposition = 'refuse-soft';

  constructor(message: string) {
    super('host-lacks', 'builder', message);
  }
}

/** `exited with status N; see X for more information`: which log to read follows mock's statuses (`builder/kojid _mockResult`). */
export function describeStatus(status: number): string {
  return `exited with status ${status}; see ${logToRead(status)} for more information`;
}

function logToRead(status: number): string {
  return status === 10 ? 'build.log' : status === 1 ? 'build.log or root.log' : 'root.log';
}

import { BuilderError } from '../core/errors.ts';
import { faultCodes } from '../core/koji-faults.ts';

/** A file that should be an RPM package and is not, or is a broken one; the message says what is wrong with it. */
export class BadRpm extends BuilderError {
  constructor(message: string, options?: ErrorOptions) {
    super('bad-rpm', 'package', message, options);
  }
}

/** A string that should name a package and does not (`koji.parse_NVR`: GenericError, fault 1000). */
export class BadNvr extends BuilderError {
  override readonly faultCode = faultCodes.generic;

  constructor(text: string) {
    super('bad-nvr', 'request', `invalid format: ${text}`);
  }
}

/** What kojid raises as `koji.BuildError`: the task fails with fault 1005 and this message. */
export class RpmBuildError extends BuilderError {
  override readonly faultCode = faultCodes.build;

  constructor(blame: 'package' | 'request' | 'builder', message: string) {
    super('build-error', blame, message);
  }
}

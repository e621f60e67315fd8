import { constants } from 'node:os';
import { BuilderError, type Disposition, hasErrorCode } from '../core/errors.ts';
import { faultCodes } from '../core/koji-faults.ts';
import { printable } from '../core/printable.ts';

/**
 * A step that runs no code of the package has not ended in time, on its second try, too. Where none of any package runs it
 * is a matter of this host, and elsewhere it may go better; Koji's fault 1012 else, as a scriptlet may be what hangs.
 */
export class StepTimedOut extends BuilderError {
  override readonly faultCode = faultCodes.buildroot;
  override readonly disposition: Disposition;

  constructor(step: string, { option, seconds }: TimeLimit) {
    const elsewhere = option !== 'install_timeout';
    const cause = elsewhere
      ? 'this host is too slow, or something hangs on it'
      : 'this host is too slow, something hangs on it, or a scriptlet of a package in the buildroot does not end';
    super(
      'step-timed-out',
      'builder',
      `${step} did not end within ${seconds} s (${option}) and was killed: ${cause}; the log of the builder says what its processes waited for`,
    );
    this.disposition = elsewhere ? 'refuse-soft' : 'fail';
  }
}

/** How long a step with programs of an image may take; 0: as long as it likes. */
export interface TimeLimit {
  /** The one that says so. */
  readonly option: 'solve_timeout' | 'install_timeout' | 'createrepo_timeout';
  readonly seconds: number;
}

/** Whether a step came to no end: its time ran out, or its end was not seen. Nothing is known then of how it went. */
export function isStuck(error: unknown): error is BuilderError {
  return hasErrorCode(error, 'step-timed-out', 'end-unseen');
}

/** The script of a step could not be read or begun on this host: another may do better, and this one when it was mended. */
export class StepNotBegun extends BuilderError {
  override readonly disposition = 'refuse-soft';

  constructor(title: string, said: string) {
    super(
      'step-not-begun',
      'builder',
      `${title} could not begin on this host: ${said} (the umask, an ACL or SELinux may keep containers from what lies in the state directory)`,
    );
  }
}

/** A program of the bootstrap image has crashed or cannot be run: a matter of the image or of this host, not of the package. */
export class ImageProgramFailed extends BuilderError {
  override readonly faultCode = faultCodes.buildroot;

  constructor(title: string, image: string, how: string) {
    super(
      'image-program-failed',
      'builder',
      `${title} ${how}: a program of bootstrap image ${image} cannot do its work on this host; try the image by hand, or have the tag's image policy or task_image_default name another`,
    );
  }
}

/**
 * Statuses with which bash ends when it cannot read or run something; scripts of a buildroot pass on those of package code as others
 * (`buildroot/steps/step-failure.ts`), so that what comes as these was never the package's.
 */
export const notRun: readonly number[] = [126, 127];

/** What bash says of our script, what it says of others it cannot run, and what the loader says of a processor. */
const ofScript = /^\/bin\/bash: \/adjutant\/in\/[^\n]*/m;
const ofProcessor = /^[^\n]*\bCPU does not support\b[^\n]*/im;

/**
 * The error when it was this host that kept a step from beginning, from its container's status and the end of what that has
 * written; null when the step has run, or when the root is to blame.
 */
export function whyNotBegun(title: string, code: number, said: string): StepNotBegun | null {
  if (!notRun.includes(code)) return null;
  const line = ofScript.exec(said)?.[0] ?? ofProcessor.exec(said)?.[0];
  return line === undefined ? null : new StepNotBegun(title, shown(line));
}

/** The error when a step of the bootstrap image did not end by itself or ran no program; null when its status is its own. */
export function whyImageFailed(
  title: string,
  image: string,
  code: number,
  said: string,
): ImageProgramFailed | null {
  if (code > 128 && code < 192)
    return new ImageProgramFailed(title, image, `was ended by ${signalName(code)}`);
  if (!notRun.includes(code)) return null;
  const last = shown(said.trimEnd().split('\n').at(-1) ?? '');
  return new ImageProgramFailed(title, image, `ended with status ${code}${last === '' ? '' : ` (${last})`}`);
}

/** A line of a container's output, for a message. */
function shown(line: string): string {
  return printable(line.slice(0, 300));
}

/**
 * Throws when a step has failed by this host's fault (`StepNotBegun`), or by that of the bootstrap image where its programs are
 * what the step runs (`ImageProgramFailed`).
 */
export function blameHost(title: string, code: number, said: string, image: string | null): void {
  const failure =
    whyNotBegun(title, code, said) ?? (image === null ? null : whyImageFailed(title, image, code, said));
  if (failure !== null) throw failure;
}

function signalName(code: number): string {
  const number = code - 128;
  const found = Object.entries(constants.signals).find(([, value]) => Number(value) === number);
  return found === undefined ? `signal ${number}` : `signal ${number} (${found[0]})`;
}

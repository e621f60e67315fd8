import { constants } from 'node:os';
import { describeLimit } from '../../container/describe-limit.ts';
import type { PhaseResult } from '../../container/run-phase.ts';
import { BuilderError } from '../../core/errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import { printable } from '../../core/printable.ts';
import { BuildrootStepFailed, rootLacks } from '../errors.ts';
import { lackingPrograms, sourceNotInstallable } from './exit-codes.ts';

/**
 * Who is to blame for the status of a step's container. bash ends with 126 or 127 when it cannot read the script itself,
 * and so does rpmbuild when a program of the package cannot be run. Scripts pass on those of the latter as 226 and 227, so
 * that what comes as 126 or 127 was never the package's.
 */
const passedOnBy = 100;
const notRun: readonly number[] = [126, 127];

/** Lines of a script after which `$status` holds what `judgedStatus` turns back into the status of the command before. */
export const passStatusOn: readonly string[] = [
  'status=$?',
  `case $status in ${notRun.join(' | ')}) status=$((status + ${passedOnBy})) ;; esac`,
];

/** The status of the command whose status a script has passed on. */
export function judgedStatus(code: number): number {
  return notRun.includes(code - passedOnBy) ? code - passedOnBy : code;
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

/** Which statuses of a script are no failure, and mock's status for the others where that is not rpmbuild's own. */
export interface Verdict {
  readonly fine: readonly number[];
  readonly failure?: number;
}

/** mock's status when the package manager has failed. */
export const notPrepared = 30;
/** mock's status for a command that took too long. */
const tookTooLong = 11;

/** The failure that the end of a step with package code is; null when it has gone well. */
export function judge(
  title: string,
  { code: ended, timedOut, ranInto }: PhaseResult,
  { fine, failure }: Verdict,
  timeoutSeconds: number,
): BuildrootStepFailed | null {
  if (timedOut)
    return new BuildrootStepFailed(title, tookTooLong, {
      limit: `killed by rpmbuild_timeout after ${timeoutSeconds} s`,
    });
  const code = judgedStatus(ended);
  const limit = ranInto === null ? {} : { limit: describeLimit(ranInto) };
  if (ranInto?.limit === 'idle') return new BuildrootStepFailed(title, tookTooLong, limit);
  const program = lackingPrograms[code];
  if (program !== undefined)
    return new BuildrootStepFailed(title, notPrepared, {
      reason: rootLacks(program),
    });
  const wasKilled = ranInto !== null && ['disk', 'log'].includes(ranInto.limit);
  if (fine.includes(code) && !wasKilled) return null;
  const status = code === sourceNotInstallable ? code : (failure ?? toMockStatus(wasKilled ? killed : code));
  return new BuildrootStepFailed(`${title} (status ${code})`, status, limit);
}

/** 128 + SIGKILL. */
const killed = 137;

/** Python, and so mock, ends with the negative number of the signal that ended its child, in eight bits. */
function toMockStatus(code: number): number {
  return code > 128 ? 384 - code : code;
}

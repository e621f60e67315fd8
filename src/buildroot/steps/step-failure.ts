import type { StepEnd } from '../../steps/task-steps.ts';
import { notRun } from '../../steps/whose-fault.ts';
import { BuildrootStepFailed, rootLacks } from '../errors.ts';
import { lackingPrograms, sourceNotInstallable } from './exit-codes.ts';

/**
 * Who is to blame for the status of a step's container. bash ends with 126 or 127 when it cannot read the script itself,
 * and so does rpmbuild when a program of the package cannot be run. Scripts pass on those of the latter as 226 and 227, so
 * that what comes as 126 or 127 was never the package's.
 */
const passedOnBy = 100;

/** Lines of a script after which `$status` holds what `judgedStatus` turns back into the status of the command before. */
export const passStatusOn: readonly string[] = [
  'status=$?',
  `case $status in ${notRun.join(' | ')}) status=$((status + ${passedOnBy})) ;; esac`,
];

/** The status of the command whose status a script has passed on. */
export function judgedStatus(code: number): number {
  return notRun.includes(code - passedOnBy) ? code - passedOnBy : code;
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
  { code: ended, timedOut, ranInto, limit }: StepEnd,
  { fine, failure }: Verdict,
  timeoutSeconds: number,
): BuildrootStepFailed | null {
  if (timedOut)
    return new BuildrootStepFailed(title, tookTooLong, {
      limit: `killed by rpmbuild_timeout after ${timeoutSeconds} s`,
    });
  const code = judgedStatus(ended);
  const options = limit === null ? {} : { limit };
  if (ranInto?.limit === 'idle') return new BuildrootStepFailed(title, tookTooLong, options);
  const program = lackingPrograms[code];
  if (program !== undefined)
    return new BuildrootStepFailed(title, notPrepared, {
      reason: rootLacks(program),
    });
  const wasKilled = ranInto !== null && ['disk', 'log'].includes(ranInto.limit);
  if (fine.includes(code) && !wasKilled) return null;
  const status = code === sourceNotInstallable ? code : (failure ?? toMockStatus(wasKilled ? killed : code));
  return new BuildrootStepFailed(`${title} (status ${code})`, status, options);
}

/** 128 + SIGKILL. */
const killed = 137;

/** Python, and so mock, ends with the negative number of the signal that ended its child, in eight bits. */
function toMockStatus(code: number): number {
  return code > 128 ? 384 - code : code;
}

import type { Clock } from '../../core/clock.ts';
import { withDeadline } from '../../core/deadline.ts';
import { describeError } from '../../core/errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import type { Logger } from '../../core/logger.ts';
import { HostApi } from '../../hub/api/host.ts';
import { isFault, SessionLost } from '../../hub/faults.ts';
import type { HubSession } from '../../hub/session/session.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { mostInARow, type TaskTroubles } from '../../journal/task-troubles.ts';
import type { OutcomeKind } from '../events.ts';
import type { HostTasks } from './host-tasks.ts';
import { type Failure, logOutcome, type NoResult, type Outcome, outcomeOf } from './outcome.ts';

/** How long freeing the task may take: the poll loop frees it, too. */
const freeingMs = 60_000;

/** The task that has ended, and whom to tell. */
export interface Report {
  readonly task: { readonly id: number };
  /** The task's own session. */
  readonly session: HubSession;
  readonly hostTasks: Pick<HostTasks, 'refuseOpen'>;
  /** How it has fared so far, in previous runs and tries, too. */
  readonly troubles: Pick<TaskTroubles, 'noteSoftRefusal' | 'forget'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Tells the hub how a task ended, and resolves with what came of it: `nothing` where the hub could not be told, or the
 * task is no longer ours. Rejects with `SessionLost` only.
 */
export async function reportOutcome(report: Report, outcome: Outcome): Promise<OutcomeKind> {
  try {
    return await tellHub(report, outcome);
  } catch (error) {
    if (error instanceof SessionLost) throw error;
    const { log } = report;
    // Cancelled or given to another host while it ended: that is what the hub goes by.
    if (isFault(error, faultCodes.actionNotAllowed))
      log.info({ fault: describeError(error) }, 'task was no longer open on this host');
    else
      log.error({ err: error }, 'reporting the outcome to the hub failed; the poll loop will free the task');
    return 'nothing';
  }
}

async function tellHub(report: Report, wanted: Outcome): Promise<OutcomeKind> {
  const { task, session, hostTasks, clock } = report;
  const host = new HostApi(session);
  const outcome = wanted.kind === 'close' ? wanted : await lastingOutcome(report, wanted);
  switch (outcome.kind) {
    case 'close': {
      const failure = await close(report, host, outcome.result);
      if (failure !== null) return tellHub(report, failure);
      await forgetTroubles(report);
      break;
    }
    case 'fail':
      await host.failTask(task.id, { code: outcome.code, message: outcome.message });
      break;
    case 'refuse':
      await hostTasks.refuseOpen(task.id, outcome, host);
      break;
    case 'free':
      await withDeadline(clock, freeingMs, 'freeing the task', (late) => host.freeTasks([task.id], late));
      break;
    case 'nothing':
      break;
  }
  return outcome.kind;
}

/**
 * Closes the task; null when that is done. A result that cannot be sent, or that the hub does not take,
 * fails the task (`koji/daemon.py runTask`): freed, it would be done again only to end in the same way.
 */
async function close({ task, log }: Report, host: HostApi, result: RpcValue): Promise<Failure | null> {
  try {
    await host.closeTask(task.id, result);
    return null;
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome.kind !== 'fail' || isFault(error, faultCodes.actionNotAllowed)) throw error;
    logOutcome(log, outcome, error);
    return outcome;
  }
}

/**
 * The outcome, or a failure in place of the third soft refusal in a row: what keeps the task from being done may be its own doing,
 * and comes back with it. Records how it fared.
 */
async function lastingOutcome(report: Report, outcome: NoResult): Promise<NoResult> {
  const { task, troubles, log } = report;
  if (outcome.kind === 'free') return outcome;
  if (outcome.kind !== 'refuse' || !outcome.soft) {
    await forgetTroubles(report);
    return outcome;
  }
  try {
    const times = await troubles.noteSoftRefusal(task.id);
    if (times < mostInARow) return outcome;
    await troubles.forget(task.id);
    const message = `refused ${times} times in a row by this host, the last time as ${outcome.message}`;
    return { kind: 'fail', code: faultCodes.generic, message, bug: false };
  } catch (error) {
    notRecorded(log, error);
    return outcome;
  }
}

async function forgetTroubles({ task, troubles, log }: Report): Promise<void> {
  await troubles.forget(task.id).catch((error: unknown) => notRecorded(log, error));
}

function notRecorded(log: Logger, error: unknown): void {
  log.warn({ err: error }, 'recording refusals of the task failed');
}

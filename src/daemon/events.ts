import { EventEmitter } from 'node:events';

/** How a task ended, as far as this host is concerned: the kind of its outcome (`run/outcome.ts`). */
export type OutcomeKind = 'close' | 'fail' | 'refuse' | 'free' | 'nothing';

/** The same in the log and in metrics, where operators filter by it. */
export const endLabels: Readonly<Record<OutcomeKind, string>> = {
  close: 'closed',
  fail: 'failed',
  refuse: 'refused',
  free: 'freed',
  nothing: 'stopped',
};

/** What happens in the daemon, for logs, the status server and tests. All are facts: nothing listens to steer. */
export interface BuilderEventMap {
  /** Logged in, lock held, orphans dealt with; the first poll is next. */
  'daemon:ready': [{ readonly hostId: number; readonly hostName: string }];
  /** One round with the hub is over. */
  'poll:done': [{ readonly ready: boolean; readonly why: string | null; readonly tasks: number }];
  /** A round failed; the next one comes after the usual pause. */
  'poll:failed': [{ readonly error: unknown }];
  'task:started': [{ readonly taskId: number; readonly method: string }];
  /** Everything of the task is gone from this host and the hub has been told. */
  'task:ended': [
    {
      readonly taskId: number;
      readonly method: string;
      readonly outcome: OutcomeKind;
      readonly durationMs: number;
    },
  ];
  /** A child of a task of this host was opened here at once, or is left to the scheduler of the hub. */
  'child:placed': [{ readonly taskId: number; readonly method: string; readonly here: boolean }];
  'task:refused': [{ readonly taskId: number; readonly method: string; readonly message: string }];
  /** No new tasks from now on. */
  'daemon:stopping': [{ readonly how: 'handover' | 'drain' | 'free' }];
}

export class BuilderEvents extends EventEmitter<BuilderEventMap> {}

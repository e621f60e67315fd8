import type { z } from 'zod';
import type { StepId } from './step-ids.ts';

/** How far a previous run of the task has brought a phase that was under way when it ended. */
export interface ResumePoint {
  /** When the phase began, by the uptime of the clock. */
  readonly startedMs: number;
  /** How much of its output is in the log. */
  readonly writtenBytes: number;
  /** The end of that output. */
  readonly tail: Uint8Array;
}

export interface Phase<Made, T> {
  readonly result: z.ZodType<T>;
  /** Name of the log that its output goes to. */
  readonly log: string;
  make(): Promise<Made>;
  work(made: Made, earlier: ResumePoint | null): Promise<T>;
}

/**
 * What a task has done so far, in this and in previous runs of the daemon. A task whose daemon was killed runs
 * again from its first line, and what it did before is not done again but remembered: hub calls, results of
 * steps, and a container that is still at work. So the code of a task has to take the same way when it is
 * given the same answers; what may come out differently (time, chance, what others have changed) goes through here.
 *
 * Ids need not be unique: the n-th use of an id in one run is the n-th in another. Results are plain data.
 */
export interface History {
  /** Whether there was a previous run, so that things may be there already. */
  readonly resumed: boolean;

  /** Whether a previous run has begun what is next done under this id. */
  isBegun(id: StepId): boolean;

  /**
   * The result of `work`, which is done once in all runs of the task. `begun`: a previous run has begun it and
   * nothing is known of its end. What it throws is not remembered.
   */
  once<T>(id: StepId, result: z.ZodType<T>, work: (begun: boolean) => Promise<T>): Promise<T>;

  /**
   * As `once`, for work whose output goes to a log of the task and that may outlive the daemon: when it was under
   * way, `earlier` tells how far it had come, and it continues from there. What it works with is made, or taken over,
   * right before it is recorded as begun.
   */
  phase<Made, T>(id: StepId, phase: Phase<Made, T>): Promise<T>;
}

/** For work that ends with its process. */
export const noHistory: History = {
  resumed: false,
  isBegun: () => false,
  once: (_id, _result, work) => work(false),
  phase: async (_id, phase) => phase.work(await phase.make(), null),
};

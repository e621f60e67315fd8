import { z } from 'zod';
import type { OpenTask } from '../../hub/api/schema.ts';

/** What a task's journal begins with: all that is needed to run it again. */
export const TaskRecord = z.object({
  // It is the hub's own answer, recorded as it was read.
  task: z.custom<OpenTask>((value) => typeof value === 'object' && value !== null && 'request' in value),
  /** The hub's number of the task's session. */
  sessionId: z.int(),
  /** Where its chances begin. */
  seed: z.int(),
});
export type TaskRecord = z.infer<typeof TaskRecord>;

/** A fresh seed. */
export function newSeed(random: () => number): number {
  return Math.floor(random() * 2 ** 32);
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

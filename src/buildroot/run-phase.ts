import { z } from 'zod';
import { ContainerError } from '../container/errors.ts';
import type { Container } from '../container/manager.ts';
import type { LimitHit } from '../container/spec.ts';
import type { Clock } from '../core/clock.ts';
import type { LogSink } from '../core/log-sink.ts';

const Hit = z.object({
  limit: z.enum(['memory', 'pids', 'disk', 'log', 'idle']),
  allowed: z.number(),
  peak: z.number(),
}) satisfies z.ZodType<LimitHit>;

export const PhaseResult = z.object({
  code: z.int(),
  /** The time ran out and every process was killed. */
  timedOut: z.boolean(),
  /** The limit that it has run into; null where there is none. */
  ranInto: Hit.nullable(),
  /** How long the script itself ran, where the engine says. */
  ranMs: z.number().nullable(),
});
export type PhaseResult = z.infer<typeof PhaseResult>;

/** What an earlier life of the daemon has begun cannot be gone on with: the task starts again, here or elsewhere. */
export function goneMeanwhile(title: string): ContainerError {
  return new ContainerError(
    'no-such-container',
    `the container of ${title} has gone while the daemon was away`,
  );
}

/** How a phase is run; all may be left out. */
export interface PhaseOptions {
  /** After this time every process is killed. */
  readonly timeoutMs?: number | null;
  /** How much of the output is in the log already, and the end of that. */
  readonly from?: number;
  readonly end?: Uint8Array;
  /** Called when the container runs. */
  readonly started?: () => void;
}

/**
 * Starts a created container and stays until it has ended and all it wrote is in the log. When the
 * signal is aborted the container is left to whoever owns it; with a timeout it is killed when the
 * time is over, and what it wrote until then is kept. Rejects when it cannot be started, followed or killed.
 */
export async function runPhase(
  container: Container,
  log: LogSink,
  clock: Clock,
  signal: AbortSignal,
  { timeoutMs = null, from = 0, end, started }: PhaseOptions = {},
): Promise<PhaseResult> {
  await container.start(signal);
  started?.();
  const ended = new AbortController();
  const drain = async () => {
    for await (const bytes of container.output(signal, from, end)) await log.write(bytes);
  };
  const running = Promise.all([container.wait(signal), drain()]).finally(() => ended.abort());
  const killing =
    timeoutMs === null
      ? false
      : killAfter(timeoutMs, container, clock, AbortSignal.any([signal, ended.signal]));
  const [[{ code, ranMs = null, ranInto = null }], timedOut] = await Promise.all([running, killing]);
  return { code, timedOut, ranInto, ranMs };
}

/** True when the time ran out before the signal was aborted and the container has been killed. */
async function killAfter(
  timeoutMs: number,
  container: Container,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await clock.sleep(timeoutMs, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    return false;
  }
  await container.stop(0);
  return true;
}

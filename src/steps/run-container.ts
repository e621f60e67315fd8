import { z } from 'zod';
import { ContainerError } from '../container/errors.ts';
import type { LimitHit } from '../container/spec.ts';
import type { Container } from '../container/step-runtime.ts';
import type { Clock } from '../core/clock.ts';
import type { LogSink } from '../core/log-sink.ts';
import type { Logger } from '../core/logger.ts';
import { noWaits, type TaskWaits } from '../core/waits.ts';
import { drainOutput } from './drain-output.ts';

const Hit = z.object({
  limit: z.enum(['memory', 'pids', 'disk', 'log', 'idle']),
  allowed: z.number(),
  peak: z.number(),
}) satisfies z.ZodType<LimitHit>;

export const ContainerEnd = z.object({
  code: z.int(),
  /** The time ran out and every process was killed. */
  timedOut: z.boolean(),
  /** The limit that it has run into; null where there is none. */
  ranInto: Hit.nullable(),
  /** How long the script itself ran, where the engine says. */
  ranMs: z.number().nullable(),
});
export type ContainerEnd = z.infer<typeof ContainerEnd>;

/** What a previous run of the daemon has begun cannot be resumed: the task starts again, here or elsewhere. */
export function goneMeanwhile(title: string): ContainerError {
  return new ContainerError(
    'no-such-container',
    `the container of ${title} disappeared while the daemon was away`,
  );
}

/** How a container is run; all may be left out. */
export interface RunOptions {
  /** After this time every process is killed. */
  readonly timeoutMs?: number | null;
  /** How much of the output is in the log already, and the end of that. */
  readonly from?: number;
  readonly end?: Uint8Array;
  /** Called when the container runs. */
  readonly started?: () => void;
  /** For people who ask: what it is called, and where it is recorded that it is waited for. */
  readonly title?: string;
  readonly waits?: TaskWaits;
  /** Hears of a run that does not go as it should: before it is killed for its time, and when its output does not end. */
  readonly log?: Logger;
}

/**
 * Starts a created container and stays until it has ended and all it wrote is in the log. When the
 * signal is aborted the container is left to its owner; with a timeout it is killed when the
 * time is over, and what it wrote until then is kept. Rejects when it cannot be started, followed or killed.
 */
export async function runContainer(
  container: Container,
  log: LogSink,
  clock: Clock,
  signal: AbortSignal,
  options: RunOptions = {},
): Promise<ContainerEnd> {
  const { timeoutMs = null, started, title = 'a step', waits = noWaits, log: problems } = options;
  await waits.during(`the start of container ${container.name} (${title})`, () => container.start(signal));
  started?.();
  const ended = new AbortController();
  const status = container.wait(signal);
  const reading = drainOutput(
    container,
    log,
    status,
    clock,
    AbortSignal.any([signal, ended.signal]),
    options,
  );
  const running = Promise.all([status, reading]).finally(() => ended.abort());
  const killing =
    timeoutMs === null
      ? false
      : killAfter(timeoutMs, container, clock, AbortSignal.any([signal, ended.signal]), async () =>
          problems?.warn(
            { seen: await container.describe() },
            `${title} has not ended within ${timeoutMs / 1000} s and is killed`,
          ),
        );
  const both = () => Promise.all([running, killing]);
  const details = () => container.describe();
  const [[{ code, ranMs = null, ranInto = null }], timedOut] = await waits.during(
    `the end of container ${container.name} (${title})`,
    both,
    { details },
  );
  return { code, timedOut, ranInto, ranMs };
}

/** True when the time ran out before the signal was aborted and the container has been killed. */
async function killAfter(
  timeoutMs: number,
  container: Container,
  clock: Clock,
  signal: AbortSignal,
  late: () => Promise<void>,
): Promise<boolean> {
  try {
    await clock.sleep(timeoutMs, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    return false;
  }
  await late();
  await container.stop(0);
  return true;
}

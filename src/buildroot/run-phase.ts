import type { Container } from '../container/manager.ts';
import type { LimitHit } from '../container/spec.ts';
import type { Clock } from '../core/clock.ts';
import type { LogSink } from '../core/log-sink.ts';

export interface PhaseResult {
  readonly code: number;
  /** The time ran out and every process was killed. */
  readonly timedOut: boolean;
  /** The limit that it has run into; null where there is none. */
  readonly ranInto: LimitHit | null;
  /** How long the script itself ran, where the engine says. */
  readonly ranMs: number | null;
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
  timeoutMs: number | null = null,
): Promise<PhaseResult> {
  await container.start(signal);
  const ended = new AbortController();
  const drain = async () => {
    for await (const bytes of container.output(signal)) await log.write(bytes);
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

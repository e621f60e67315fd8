import type { Container } from '../container/manager.ts';
import type { Clock } from '../core/clock.ts';
import type { LogSink } from '../core/log-sink.ts';

export interface PhaseResult {
  readonly code: number;
  /** The time ran out and every process was killed. */
  readonly timedOut: boolean;
}

/**
 * Starts a created container and stays until it has ended and all it wrote is in the log. When the
 * signal is aborted the container is left to whoever owns it; with a timeout it is killed when the
 * time is over, and what it wrote until then is kept.
 */
export async function runPhase(
  container: Container,
  log: LogSink,
  clock: Clock,
  signal: AbortSignal,
  timeoutMs: number | null = null,
): Promise<PhaseResult> {
  await container.start(signal);
  let timedOut = false;
  const ended = new AbortController();
  const watch =
    timeoutMs === null
      ? Promise.resolve()
      : clock.sleep(timeoutMs, AbortSignal.any([signal, ended.signal])).then(
          () => {
            timedOut = true;
            return container.stop(0);
          },
          (error: unknown) => {
            if (!ended.signal.aborted && !signal.aborted) throw error;
          },
        );
  const drain = async () => {
    for await (const bytes of container.output(signal)) await log.write(bytes);
  };
  try {
    const [status] = await Promise.all([container.wait(signal), drain()]);
    return { code: status.code, timedOut };
  } finally {
    ended.abort();
    await watch;
  }
}

import type { Clock } from './clock.ts';
import { BuilderError } from './errors.ts';

/** The promise, or the signal's reason as soon as it is aborted, whether the work behind heeds it or not. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Runs `work` for at most `ms`. Then its signal is aborted and this rejects with a `BuilderError` of code
 * `timeout` that names `what`, even when the work continues.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const done = new AbortController();
  const alarm = clock.sleep(ms, done.signal).then(
    () => late.abort(new BuilderError('timeout', 'external', `${what} took longer than ${ms / 1000} s`)),
    () => undefined,
  );
  try {
    return await untilAborted(work(late.signal), late.signal);
  } finally {
    done.abort();
    await alarm;
  }
}

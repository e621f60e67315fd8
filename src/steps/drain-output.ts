import { ContainerError } from '../container/errors.ts';
import type { Container } from '../container/step-runtime.ts';
import type { Clock } from '../core/clock.ts';
import type { LogSink } from '../core/log-sink.ts';
import type { Logger } from '../core/logger.ts';

/** How long the output of a container that has ended may bring nothing and not end. */
export const silentMs = 30_000;

export interface DrainOptions {
  /** How much of the output is in the log already, and the end of that. */
  readonly from?: number;
  readonly end?: Uint8Array;
  /** For messages. */
  readonly title?: string;
  readonly log?: Logger;
}

/**
 * Writes what a container puts out to a log, until it has ended, which `status` tells, and all is there. Output that
 * neither brings anything nor ends for some time after that is an error in the log, and is read again from where it
 * stopped; when that is of no use either, this rejects with `end-unseen`.
 */
export async function drainOutput(
  container: Container,
  to: LogSink,
  status: Promise<unknown>,
  clock: Clock,
  signal: AbortSignal,
  { from = 0, end, title = 'a step', log }: DrainOptions,
): Promise<void> {
  const done = { bytes: from, isWriting: false };
  const read = async (by: AbortSignal, known: Uint8Array | undefined): Promise<'all'> => {
    for await (const bytes of container.output(by, done.bytes, known)) {
      by.throwIfAborted();
      done.isWriting = true;
      await to.write(bytes);
      done.isWriting = false;
      done.bytes += bytes.length;
    }
    return 'all';
  };
  for (let tries = 1; ; tries += 1) {
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const reading = read(until, tries === 1 ? end : undefined);
    const silence = standsStill(status, () => done.bytes, clock, until);
    try {
      if ((await Promise.race([reading, silence])) === 'all') return;
    } finally {
      over.abort();
      // Of the two, the one that lost.
      for (const other of [reading, silence]) other.catch(() => undefined);
    }
    const place = done.isWriting ? 'its log does not take it' : 'no more of it comes';
    const message = `${title}: container ${container.name} has ended, its output has not: ${place} after ${done.bytes} bytes, for ${silentMs / 1000} s`;
    log?.error({ seen: await container.describe() }, message);
    // What is just being written would be there twice.
    if (tries === 2 || done.isWriting) throw new ContainerError('end-unseen', message);
  }
}

/** Resolves when nothing has come for some time after the end; stays pending when there is no end. */
async function standsStill(
  status: Promise<unknown>,
  bytes: () => number,
  clock: Clock,
  signal: AbortSignal,
): Promise<'silent'> {
  // How it has ended is another's matter.
  await status.catch(() => undefined);
  for (;;) {
    const before = bytes();
    await clock.sleep(silentMs, signal);
    if (bytes() === before) return 'silent';
  }
}

import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { untilAborted, withDeadline } from './deadline.ts';

const never = new Promise<never>(() => undefined);

describe('untilAborted', () => {
  it('gives what the promise gives, and leaves no listener', async () => {
    const abort = new AbortController();
    const { signal } = abort;

    expect(await untilAborted(Promise.resolve(1), signal)).toBe(1);
    await expect(untilAborted(Promise.reject(new Error('bad')), signal)).rejects.toThrow('bad');

    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('rejects with the reason of the signal, aborted before or after', async () => {
    const abort = new AbortController();
    const waiting = untilAborted(never, abort.signal);
    abort.abort(new Error('enough'));

    await expect(waiting).rejects.toThrow('enough');
    await expect(untilAborted(never, abort.signal)).rejects.toThrow('enough');
  });
});

describe('withDeadline', () => {
  it('gives what the work gives, and stops the clock', async () => {
    const clock = new ManualClock();

    expect(await withDeadline(clock, 5000, 'this', async () => 'done')).toBe('done');

    expect(clock.sleeping).toBe(0);
  });

  it('passes on what the work throws', async () => {
    const clock = new ManualClock();
    const work = withDeadline(clock, 5000, 'this', async () => {
      throw new Error('bad');
    });

    await expect(work).rejects.toThrow('bad');
    expect(clock.sleeping).toBe(0);
  });

  it('aborts the work when the time is over', async () => {
    const clock = new ManualClock();
    let seen: AbortSignal | undefined;
    const work = withDeadline(clock, 5000, 'this', (signal) => {
      seen = signal;
      return never;
    });
    const ended = expect(work).rejects.toMatchObject({
      code: 'timeout',
      message: 'this took longer than 5 s',
    });

    await clock.advance(4999);
    expect(seen?.aborted).toBe(false);
    await clock.advance(1);

    await ended;
    expect(seen?.aborted).toBe(true);
  });
});

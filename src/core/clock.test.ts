import { describe, expect, it } from 'vitest';
import { systemClock } from './clock.ts';

describe('systemClock', () => {
  it('rejects with the reason of the signal, aborted before or during the sleep', async () => {
    const abort = new AbortController();
    const sleep = systemClock.sleep(3_600_000, abort.signal);
    abort.abort(new Error('enough'));

    await expect(sleep).rejects.toThrow('enough');
    await expect(systemClock.sleep(3_600_000, abort.signal)).rejects.toThrow('enough');
  });

  it('sleeps for longer than one timer of Node can', async () => {
    const abort = new AbortController();
    const sleep = systemClock.sleep(2 ** 31, abort.signal);
    const ended = sleep.then(
      () => 'woke',
      () => 'stopped',
    );

    await systemClock.sleep(5);
    abort.abort();

    expect(await ended).toBe('stopped');
  });

  it('sleeps without a signal', async () => {
    await expect(systemClock.sleep(0)).resolves.toBeUndefined();
  });
});

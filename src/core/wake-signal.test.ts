import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { settle } from '../../test/support/manual-clock.ts';
import { never } from './never.ts';
import { WakeSignal } from './wake-signal.ts';

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => {
    settled = true;
  };
  promise.then(note, note);
  await settle();
  return settled;
}

describe('WakeSignal', () => {
  it('wakes everybody who waits, once', async () => {
    const wakeUps = new WakeSignal();
    const waiting = [wakeUps.next(never), wakeUps.next(never)];

    wakeUps.wake();

    await Promise.all(waiting);
    expect(await isSettled(wakeUps.next(never))).toBe(false);
  });

  it('keeps no wake-up that came while nobody waited', async () => {
    const wakeUps = new WakeSignal();
    wakeUps.wake();

    const waiting = wakeUps.next(never);

    expect(await isSettled(waiting)).toBe(false);
  });

  it('loses no wake-up that comes right after somebody began to wait', async () => {
    const wakeUps = new WakeSignal();
    const waiting = wakeUps.next(never);

    wakeUps.wake();
    wakeUps.wake();

    await expect(waiting).resolves.toBeUndefined();
  });

  it('rejects with the reason of the signal, and keeps the others waiting', async () => {
    const wakeUps = new WakeSignal();
    const abort = new AbortController();
    const given = wakeUps.next(abort.signal);
    const other = wakeUps.next(never);

    abort.abort(new Error('enough'));

    await expect(given).rejects.toThrow('enough');
    expect(await isSettled(other)).toBe(false);
    wakeUps.wake();
    await other;
  });

  it('rejects at once for a signal that is aborted', async () => {
    await expect(new WakeSignal().next(AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  });

  it('leaves no listener behind, however a wait ends', async () => {
    const wakeUps = new WakeSignal();
    const abort = new AbortController();
    const woken = wakeUps.next(abort.signal);
    wakeUps.wake();
    await woken;
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);

    const given = wakeUps.next(abort.signal);
    abort.abort();
    await expect(given).rejects.toThrow();
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
  });
});

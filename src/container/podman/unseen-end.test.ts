import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import type { HostProcess } from './api/host-processes.ts';
import { UnseenEnds } from './unseen-end.ts';

const state = { Pid: 10, ConmonPid: 9 };

/** A host on which these processes run, or have ended. */
function watch(processes: Record<number, HostProcess>) {
  const clock = new ManualClock();
  const ends = new UnseenEnds(clock, async (pid) => processes[pid] ?? null);
  return { clock, look: () => ends.look(state), processes };
}

const runs = (started = '1'): HostProcess => ({ state: 'S', started });

describe('UnseenEnds', () => {
  it('finds nothing wrong while main process and monitor run', async () => {
    const { clock, look } = watch({ 9: runs(), 10: runs() });

    expect(await look()).toBeNull();
    await clock.advance(60_000);

    expect(await look()).toBeNull();
  });

  it.each<[string, Record<number, HostProcess>, string]>([
    ['a main process that is gone', { 9: runs() }, 'its main process 10 is gone'],
    [
      'one nobody has asked after',
      { 9: runs(), 10: { state: 'Z', started: '1' } },
      'its main process 10 has ended',
    ],
    ['a monitor that is gone', { 10: runs() }, 'its monitor 9 is gone'],
    ['both', {}, 'its main process 10 is gone, and its monitor 9 is gone'],
  ])('tells of %s, and for how long that has been so', async (_what, processes, what) => {
    const { clock, look } = watch(processes);

    expect(await look()).toEqual({ what, ms: 0 });
    await clock.advance(30_000);

    expect(await look()).toEqual({ what, ms: 30_000 });
  });

  it('takes another process with the same number for what it is', async () => {
    const { clock, look, processes } = watch({ 9: runs(), 10: runs('1') });
    await look();
    processes[10] = runs('2');
    await clock.advance(1000);

    expect(await look()).toMatchObject({ what: 'its main process 10 is gone' });
  });

  it('forgets what was wrong when it is right again', async () => {
    const { clock, look, processes } = watch({ 10: runs() });
    await look();
    await clock.advance(5000);
    processes[9] = runs();

    expect(await look()).toBeNull();
    delete processes[9];
    await clock.advance(1000);

    expect(await look()).toMatchObject({ ms: 0 });
  });

  it('does not judge by processes that the engine does not name', async () => {
    const ends = new UnseenEnds(new ManualClock(), async () => null);

    expect(await ends.look({ Pid: 0, ConmonPid: undefined })).toBeNull();
  });
});

import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { describeDuration, describeWaits, Waits } from './waits.ts';

describe('Waits', () => {
  it('tells what a task waits for while it does, since when, and what a closer look says', async () => {
    const clock = new ManualClock();
    const waits = new Waits(clock);
    const end = Promise.withResolvers<string>();
    let fetched = 3;
    const options = { details: async () => 'running' };
    const waiting = waits.of(5).during(
      () => `packages (${fetched} of 9)`,
      () => end.promise,
      options,
    );
    await clock.advance(64_000);
    fetched = 4;

    expect(await waits.list(5)).toEqual([{ what: 'packages (4 of 9)', ms: 64_000, details: 'running' }]);
    expect(await waits.list(6)).toEqual([]);
    end.resolve('done');
    expect(await waiting).toBe('done');
    expect(await waits.list(5)).toEqual([]);
  });

  it('forgets a wait that ends with an error, and passes that on', async () => {
    const waits = new Waits(new ManualClock());

    await expect(waits.of(null).during('luck', () => Promise.reject(new Error('none')))).rejects.toThrow(
      'none',
    );

    expect(await waits.list(null)).toEqual([]);
  });

  it('lists the longest wait first, by the time it is said to have begun', async () => {
    const clock = new ManualClock();
    const waits = new Waits(clock);
    const never = () => new Promise<void>(() => undefined);
    void waits.of(5).during('the second', never);
    void waits.of(5).during('the first', never, { sinceMs: clock.uptime() - 10 });

    void waits.of(null).during('another', never);
    void waits.of(4).during('yet another', never);

    expect(waits.tasks).toEqual([4, 5, null]);
    expect((await waits.list(5)).map(({ what }) => what)).toEqual(['the first', 'the second']);
  });
});

describe('describeWaits', () => {
  it('puts all into a line', () => {
    const waits = [
      { what: 'child task 7', ms: 12_345, details: null },
      { what: 'x', ms: 0, details: 'running' },
    ];

    expect(describeWaits('task 5', waits)).toBe(
      'task 5: waits for child task 7 since 12 s; for x since 0.0 s (running)',
    );
    expect(describeWaits('task 5', [])).toBe('task 5: waits for nothing that is known');
  });

  it.each([
    [9_940, '9.9 s'],
    [59_999, '59 s'],
    [754_000, '12 min 34 s'],
    [7_500_000, '2 h 5 min'],
  ])('says %i ms as %s', (ms, text) => expect(describeDuration(ms)).toBe(text));
});

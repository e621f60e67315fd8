import { describe, expect, it } from 'vitest';
import { never } from './never.ts';
import { SingleFlight } from './single-flight.ts';

function setUp() {
  const runs: { signal: AbortSignal; outcome: PromiseWithResolvers<string> }[] = [];
  const call = new SingleFlight((signal) => {
    const outcome = Promise.withResolvers<string>();
    runs.push({ signal, outcome });
    return outcome.promise;
  });
  return { runs, call };
}

describe('SingleFlight', () => {
  it('runs once for all who ask meanwhile, and again after that', async () => {
    const { runs, call } = setUp();
    const both = Promise.all([call.join(never), call.join(never)]);

    runs[0]?.outcome.resolve('first');
    expect(await both).toEqual(['first', 'first']);
    const later = call.join(never);
    runs[1]?.outcome.resolve('second');

    expect(await later).toBe('second');
    expect(runs).toHaveLength(2);
  });

  it('continues while one caller is left, and is aborted with the last', async () => {
    const { runs, call } = setUp();
    const [one, other] = [new AbortController(), new AbortController()];
    const first = call.join(one.signal);
    const second = call.join(other.signal);

    one.abort(new Error('one'));
    await expect(first).rejects.toThrow('one');
    expect(runs[0]?.signal.aborted).toBe(false);
    other.abort(new Error('other'));
    await expect(second).rejects.toThrow('other');

    expect(runs[0]?.signal.aborted).toBe(true);
    expect(call.isRunning).toBe(false);
  });

  it('gives every caller the failure', async () => {
    const { runs, call } = setUp();
    const both = Promise.allSettled([call.join(never), call.join(never)]);

    runs[0]?.outcome.reject(new Error('broken'));

    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { FaultBench, inTime } from './fault-bench.ts';
import { describeE2e } from './surroundings.ts';

/** From the cancellation to an empty host, whatever the build does. */
const atMostMs = 10_000;

describeE2e('a build that is cancelled', () => {
  let bench: FaultBench;

  beforeAll(async () => {
    bench = await FaultBench.open();
  });
  afterAll(() => bench?.world.close());

  /** Submits a build, cancels it where `arm` says, and waits until nothing of it is left. */
  async function cancelled(arm: (cancel: () => void) => void): Promise<void> {
    const reached = Promise.withResolvers<void>();
    arm(reached.resolve);
    const build = await bench.submit();
    await reached.promise;
    const sinceMs = systemClock.uptime();
    await bench.world.cancel(build);
    await expect.poll(() => bench.world.engine.containers(), { ...inTime, interval: 50 }).toEqual([]);
    expect(systemClock.uptime() - sinceMs).toBeLessThan(atMostMs);
    expect(await bench.world.stateOf(build)).toBe(taskState.CANCELED);
    await bench.leavesNothing();
  }

  it('while packages are looked for', () => cancelled((then) => bench.atContainer('solve', 'start', then)));

  it('while they are fetched', async () => {
    await bench.world.forget();

    await cancelled((then) => bench.atFetch(then));
  });

  it('while they are installed', () => cancelled((then) => bench.atContainer('install', 'start', then)));

  it('while results are uploaded', () =>
    cancelled((then) =>
      bench.atCall(({ method, file }) => method === 'rawUpload' && file?.endsWith('.rpm') === true, then),
    ));

  it('while it waits for its children', () =>
    cancelled((then) => bench.atCall(({ method }) => method === 'host.taskWait', then)));

  it('and the next one comes to a good end', async () => {
    await bench.endsWell(await bench.submit());
  });
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { taskState } from '../../src/devhub/rows.ts';
import { childOf } from './builder.ts';
import { FaultBench } from './fault-bench.ts';
import { describeE2e } from './surroundings.ts';

/** From the cancellation until all that ran of the build is gone, whatever it does. */
const atMostMs = 10_000;

describeE2e('a build that is cancelled', () => {
  let bench: FaultBench;

  beforeAll(async () => {
    bench = await FaultBench.open();
  });
  afterAll(() => bench?.world.close());

  /** Submits a build, cancels it where `arm` says, and waits until nothing of it is left. */
  async function cancelled(arm: (cancel: () => void) => void, times = 1): Promise<void> {
    const reached = Promise.withResolvers<void>();
    arm(reached.resolve);
    const build = await bench.submit();
    await reached.promise;
    for (let i = 0; i < times; i += 1) await bench.world.cancel(build);
    const left = async () =>
      // What only lends its root or disk never starts; it waits for a root that is being kept for later builds.
      (await bench.world.engine.containers()).filter((name) => !/-(root|disk)-\d+$/.test(name));
    await expect.poll(left, { timeout: atMostMs, interval: 50 }).toEqual([]);
    expect(await bench.world.stateOf(build)).toBe(taskState.CANCELED);
    await bench.leavesNothing();
  }

  it('while packages are looked for', () => cancelled((then) => bench.atContainer('solve', 'start', then)));

  it('while they are fetched', async () => {
    await bench.world.forget();

    await cancelled((then) => bench.atFetch(then));
  });

  it('while they are installed', () => cancelled((then) => bench.atContainer('install', 'start', then)));

  it('while it is built, twice', () => cancelled((then) => bench.atContainer('build', 'start', then), 2));

  it('while results are uploaded', () =>
    cancelled((then) =>
      bench.atCall(({ method, file }) => method === 'rawUpload' && file?.endsWith('.rpm') === true, then),
    ));

  it('while it waits for its children', () =>
    cancelled((then) => bench.atCall(({ method }) => method === 'host.taskWait', then)));

  it('and one whose task is taken away while it runs is stopped, and comes to a good end at the next try', async () => {
    const taken = Promise.withResolvers<readonly string[]>();
    bench.atContainer('build', 'start', () => taken.resolve(bench.running('build')));
    const build = await bench.submit();
    const names = await taken.promise;
    expect(names).not.toEqual([]);
    const tree = await bench.world.tree(build);

    await bench.world.ask('freeTask', [childOf(tree, 'buildArch').id]);

    const left = async () => (await bench.world.engine.containers()).filter((name) => names.includes(name));
    await expect.poll(left, { timeout: atMostMs, interval: 50 }).toEqual([]);
    await bench.endsWell(build);
  });

  it('and the next one comes to a good end', async () => {
    await bench.endsWell(await bench.submit());
  });
});

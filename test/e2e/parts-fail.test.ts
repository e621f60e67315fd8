import { afterAll, beforeAll, expect, it } from 'vitest';
import { FaultBench, inTime } from './fault-bench.ts';
import { describeE2e } from './surroundings.ts';

const hourMs = 3_600_000;

describeE2e('a part of the host that fails while a package is built', () => {
  let bench: FaultBench;

  beforeAll(async () => {
    // A request to an engine that hangs is given up soon.
    bench = await FaultBench.open({ settings: ['container_timeouts = start=5'] });
  });
  afterAll(() => bench?.world.close());

  /** Builds the package; does something when a container of this phase comes to this pass. */
  async function buildWith(phase: string, status: string, strike: () => Promise<unknown>): Promise<void> {
    const struck = Promise.withResolvers<unknown>();
    bench.atContainer(phase, status, () => struck.resolve(strike()));
    const build = await bench.submit();
    await struck.promise;
    await bench.endsWell(build);
  }

  it('is built although the service of the engine was killed when the root was installed', async () => {
    await buildWith('install', 'start', () => bench.world.engine.restart());
  });

  it('is built although the service of the engine hangs for a while, and its log continues', async () => {
    const paused = Promise.withResolvers<void>();
    bench.atContainer('build', 'start', () => {
      bench.world.engine.pause();
      paused.resolve();
    });
    const build = await bench.submit();
    await paused.promise;
    await bench.hasCounted(build, 10);
    bench.world.engine.resume();

    await bench.endsWell(build);
  });

  it('is built again when the service of the engine has hung for too long', async () => {
    const log = await bench.listen();

    await buildWith('build', 'start', async () => {
      bench.world.engine.pause();
      await expect.poll(log, inTime).toContain('"msg":"task freed, it goes back to the queue"');
      await expect
        .poll(log, inTime)
        .toMatch(/"why":"the container engine does not answer[^"]+","msg":"not ready/);
      bench.world.engine.resume();
    });
  });

  it('is built again when its container is removed', async () => {
    const log = await bench.listen();

    await buildWith('build', 'start', async () => bench.world.engine.remove(await bench.running('build')));

    expect(await log()).toContain('"msg":"task freed, it goes back to the queue"');
  });

  it('is built although the clock is set on by an hour, and back by two', async () => {
    const log = await bench.listen();

    await buildWith('build', 'start', async () => {
      const { daemon } = bench.world;
      const ended = bench.ends('build');
      daemon.setClock(hourMs);
      await ended;
      daemon.setClock(-hourMs);
    });
    bench.world.daemon.setClock(0);

    expect(await log()).not.toMatch(/goes back to the queue|task refused|"msg":"task failed"/);
  });
});

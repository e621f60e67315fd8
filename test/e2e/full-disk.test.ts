import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FaultBench, inTime } from './fault-bench.ts';
import { describeE2eAsRoot } from './surroundings.ts';

describeE2eAsRoot('a disk that becomes full', () => {
  let bench: FaultBench;

  beforeAll(async () => {
    bench = await FaultBench.open();
  });
  afterAll(() => bench?.world.close());

  /** Fills the disk when asked to, and makes room when the daemon has said that it is not ready for that. */
  async function fillsDuring(arm: (fill: () => void) => void): Promise<string> {
    const log = await bench.listen();
    const filled = Promise.withResolvers<void>();
    arm(() => {
      bench.world.area.fill();
      filled.resolve();
    });
    const build = await bench.submit();
    await filled.promise;
    const stillFull = () => {
      // What the daemon tidies up makes room.
      bench.world.area.fill();
      return log();
    };
    await expect
      .poll(stillFull, inTime)
      .toMatch(/"why":"0 MB free at [^"]+, minspace is 1".*"msg":"not ready/);
    bench.world.area.empty();
    await bench.endsWell(build);
    return log();
  }

  const refused = /"reason":"the disk of this host is full: [^"]+".*"msg":"task refused after opening"/;

  it('while packages are fetched', async () => {
    const log = await fillsDuring((fill) => bench.atFetch(fill));

    expect(log).toMatch(refused);
  });

  it('while the root is installed', async () => {
    await bench.world.forget();

    expect(await fillsDuring((fill) => bench.atContainer('install', 'start', fill))).toMatch(refused);
  });

  it('while the package is built', async () => {
    const log = await fillsDuring((fill) => bench.atContainer('build', 'start', fill));

    expect(log).toMatch(refused);
  });

  it('when the package is built, before anybody has looked at the results', async () => {
    await fillsDuring((fill) => bench.atContainer('build', 'died', fill));
  });

  it('while results are uploaded', async () => {
    await fillsDuring((fill) =>
      bench.atCall(({ method, file }) => method === 'rawUpload' && file?.endsWith('.rpm') === true, fill),
    );
  });

  it('while the journal of a task is begun', async () => {
    await fillsDuring((fill) => bench.atCall(({ method }) => method === 'host.openTask', fill));
  });

  it('while the journal of a task is written', async () => {
    await fillsDuring((fill) => bench.atCall(({ method }) => method === 'host.newBuildRoot', fill));
  });

  /** Kills the daemon, and fills the disk until output of the build has been lost. */
  async function losesOutput(whileFull: (empty: () => void) => Promise<void>): Promise<void> {
    const log = await bench.listen();
    const build = await bench.submit();
    await bench.hasCounted(build, 5);
    const path = await bench.containerLog();

    await bench.world.daemon.killFor(async () => {
      bench.world.area.fill();
      // What a block has no room for is dropped.
      await expect.poll(async () => (await stat(path)).size % 4096, inTime).toBe(0);
      await whileFull(() => bench.world.area.empty());
    });

    await bench.endsWell(build);
    expect(await log()).toMatch(refused);
  }

  it('while the daemon is away, and has room again before the build ends', async () => {
    await losesOutput(async (empty) => {
      const ended = bench.ends('build');
      empty();
      await ended;
    });
  });

  it('while the daemon is away, until the build has ended', async () => {
    await losesOutput(async (empty) => {
      await bench.ends('build');
      empty();
    });
  });

  it('before the daemon starts', async () => {
    const log = await bench.listen();
    await bench.world.daemon.stopFor(() => bench.world.area.fill());
    await expect.poll(log, inTime).toMatch(/the daemon could not start: no space left on device/);
    bench.world.area.empty();

    await bench.endsWell(await bench.submit());
  });
});

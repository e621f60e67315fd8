import { afterAll, beforeAll, expect, it } from 'vitest';
import { WorkArea } from '../../scripts/chaos/work-area.ts';
import { FaultBench, inTime } from './fault-bench.ts';
import { describeE2eAsRoot } from './surroundings.ts';

describeE2eAsRoot('a disk that becomes read-only, as damaged ones do', () => {
  let bench: FaultBench;

  beforeAll(async () => {
    bench = await FaultBench.open({ openArea: WorkArea.onDisk });
  });
  afterAll(() => bench?.world.close());

  it('costs a build that runs one try, and the host takes none until it is mended', async () => {
    const log = await bench.listen();
    const { area, daemon } = bench.world;
    const build = await bench.submit();
    await bench.hasCounted(build, 5);

    area.damage();

    await expect
      .poll(log, inTime)
      .toMatch(/"why":"[^"]+ is on a file system that is read-only;[^"]+","msg":"not ready/);
    await expect
      .poll(log, inTime)
      .toMatch(/"reason":"the disk of this host [^"]+".*"msg":"task refused after opening"/);
    await expect.poll(() => bench.world.engine.containers(), inTime).toEqual([]);
    await daemon.stopFor(() => area.mend());
    await bench.endsWell(build, 'sessions');
  });

  it('keeps the daemon from starting, with a word that says why', async () => {
    const log = await bench.listen();
    const { area, daemon } = bench.world;
    await daemon.stopFor(() => area.damage());
    await expect
      .poll(log, inTime)
      .toMatch(/the daemon could not start: [^"]+ is on a file system that is read-only/);

    await daemon.stopFor(() => area.mend());
    await bench.endsWell(await bench.submit(), 'sessions');
  });
});

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

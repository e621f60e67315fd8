import { rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { taskState } from '../../src/devhub/rows.ts';
import { countedIn } from './counting.ts';
import { FaultBench } from './fault-bench.ts';
import { describeE2e } from './surroundings.ts';

/** What may be done to a log from outside. */
const harms: Readonly<Record<string, (path: string) => Promise<void>>> = {
  emptied: (path) => truncate(path),
  'cut in half': async (path) => truncate(path, Math.floor((await stat(path)).size / 2)),
  'replaced by another file': async (path) => {
    await writeFile(`${path}.other`, 'something else\n'.repeat(2000));
    await rename(`${path}.other`, path);
  },
  'put away, with an empty one in its place': async (path) => {
    await rename(path, `${path}.1`);
    await writeFile(path, '');
  },
  removed: (path) => rm(path),
};
const ways = Object.keys(harms);

describeE2e('a log that is damaged while a package is built', () => {
  let bench: FaultBench;

  beforeAll(async () => {
    bench = await FaultBench.open();
  });
  afterAll(() => bench?.world.close());

  /** Begins a build, and has a log harmed when its output is on the hub. */
  async function harm(way: string, log: (buildArch: number) => Promise<string> | string, away = false) {
    const build = await bench.submit();
    const buildArch = await bench.hasCounted(build, 10);
    const strike = async () => harms[way]?.(await log(buildArch));
    if (away) await bench.world.daemon.killFor(strike);
    else await strike();
    return { build, buildArch };
  }
  const ofContainer = () => bench.containerLog();
  const ofTask = (name: string) => (buildArch: number) => bench.world.taskPath(buildArch, 'logs', name);
  const startedAgain =
    /"reason":"[^"]+(changed or removed from outside|output of the container is lost|goes when its container is removed)".*"msg":"task freed, it goes back to the queue"/;

  it.each(['emptied', 'cut in half'])(
    'of a container, %s: the log says that output is missing',
    async (way) => {
      const { build, buildArch } = await harm(way, ofContainer);

      await bench.world.end(build);

      expect(await bench.world.stateOf(build)).toBe(taskState.CLOSED);
      const log = await bench.logOnHub(buildArch);
      const counted = countedIn(log);
      expect(log).toContain('the log of this container was cut on the host: output is missing here');
      expect(counted.slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      expect(counted.at(-1)).toBe(40);
      expect(counted).toEqual([...new Set(counted)].toSorted((a, b) => a - b));
      await bench.leavesNothing();
    },
  );

  it.each(ways.slice(2))('of a container, %s: all of it is on the hub', async (way) => {
    const { build } = await harm(way, ofContainer);

    await bench.endsWell(build);
  });

  it.each(ways)('of a container, %s while the daemon is away: the task starts again', async (way) => {
    const log = await bench.listen();
    const { build } = await harm(way, ofContainer, true);

    await bench.endsWell(build);

    expect(await log()).toMatch(startedAgain);
  });

  it.each(['cut in half', 'replaced by another file', 'removed'])(
    'of the task, %s: it starts again',
    async (way) => {
      const log = await bench.listen();
      const { build } = await harm(way, ofTask('build.log'));

      await bench.endsWell(build);

      expect(await log()).toMatch(startedAgain);
    },
  );

  it.each(ways)('of the task, %s while the daemon is away: it starts again', async (way) => {
    const log = await bench.listen();
    const { build, buildArch } = await harm(way, ofTask('root.log'), true);

    await bench.endsWell(build);

    expect(await log()).toMatch(startedAgain);
    expect(await bench.logOnHub(buildArch, 'root.log')).not.toContain('something else');
  });

  it.each(['cut in half', 'replaced by another file'])(
    'of the task, %s while the daemon is away, of what is built: it is whole',
    async (way) => {
      const { build } = await harm(way, ofTask('build.log'), true);

      await bench.endsWell(build);
    },
  );
});

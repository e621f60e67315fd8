import { rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll } from 'vitest';
import { FaultBench } from './fault-bench.ts';

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
/** Their names. */
export const ways = Object.keys(harms);

/** What the daemon's log says of a task that has to begin anew. */
export const startedAgain =
  /"reason":"[^"]+(changed or removed from outside|output of the container is lost|goes when its container is removed)".*"msg":"task freed, it goes back to the queue"/;

/** A bench whose builds have a log harmed; opened before the tests of a suite and closed after them. */
export function harmedBuilds() {
  let bench: FaultBench;
  beforeAll(async () => {
    bench = await FaultBench.open();
  });
  afterAll(() => bench?.world.close());
  return {
    bench: () => bench,
    ofContainer: () => bench.containerLog(),
    ofTask: (name: string) => (buildArch: number) => bench.world.taskPath(buildArch, 'logs', name),
    /** Begins a build, and has a log harmed when its output is on the hub. */
    async harm(way: string, log: (buildArch: number) => Promise<string> | string, away = false) {
      const build = await bench.submit();
      const buildArch = await bench.hasCounted(build, 10);
      const strike = async () => harms[way]?.(await log(buildArch));
      if (away) await bench.world.daemon.killFor(strike);
      else await strike();
      return { build, buildArch };
    },
  };
}

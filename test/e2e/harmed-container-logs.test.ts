import { expect, it } from 'vitest';
import { taskState } from '../../src/devhub/rows.ts';
import { countedIn } from './counting.ts';
import { harmedBuilds, startedAgain, ways } from './log-harms.ts';
import { describeE2e } from './surroundings.ts';

describeE2e('a log of a container that is damaged while a package is built', () => {
  const { bench, harm, ofContainer } = harmedBuilds();

  it.each(['emptied', 'cut in half'])('%s: the log says that output is missing', async (way) => {
    const { build, buildArch } = await harm(way, ofContainer);

    await bench().world.end(build);

    expect(await bench().world.stateOf(build)).toBe(taskState.CLOSED);
    const log = await bench().logOnHub(buildArch);
    const counted = countedIn(log);
    expect(log).toContain('the log of this container was cut on the host: output is missing here');
    expect(counted.slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(counted.at(-1)).toBe(40);
    expect(counted).toEqual([...new Set(counted)].toSorted((a, b) => a - b));
    await bench().leavesNothing();
  });

  it.each(ways.slice(2))('%s: all of it is on the hub', async (way) => {
    const { build } = await harm(way, ofContainer);

    await bench().endsWell(build);
  });

  it.each(ways)('%s while the daemon is away: the task starts again', async (way) => {
    const log = await bench().listen();
    const { build } = await harm(way, ofContainer, true);

    await bench().endsWell(build);

    expect(await log()).toMatch(startedAgain);
  });
});

import { expect, it } from 'vitest';
import { harmedBuilds, startedAgain, ways } from './log-harms.ts';
import { describeE2e } from './surroundings.ts';

describeE2e('a log of a task that is damaged while a package is built', () => {
  const { bench, harm, ofTask } = harmedBuilds();

  it.each(['cut in half', 'replaced by another file', 'removed'])('%s: it starts again', async (way) => {
    const log = await bench().listen();
    const { build } = await harm(way, ofTask('build.log'));

    await bench().endsWell(build);

    expect(await log()).toMatch(startedAgain);
  });

  it.each(ways)('%s while the daemon is away: it starts again', async (way) => {
    const log = await bench().listen();
    const { build, buildArch } = await harm(way, ofTask('root.log'), true);

    await bench().endsWell(build);

    expect(await log()).toMatch(startedAgain);
    expect(await bench().logOnHub(buildArch, 'root.log')).not.toContain('something else');
  });

  it.each(['cut in half', 'replaced by another file'])(
    '%s while the daemon is away, of what is built: it is whole',
    async (way) => {
      const { build } = await harm(way, ofTask('build.log'), true);

      await bench().endsWell(build);
    },
  );
});

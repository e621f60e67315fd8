import { afterAll, beforeAll, expect, it } from 'vitest';
import { taskState } from '../../src/devhub/rows.ts';
import { childOf, TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { inTime, startForever, stopWithin } from './forever.ts';
import { describeE2e } from './surroundings.ts';

describeE2e('a daemon that is told to stop', () => {
  let hub: DevTestHub;
  let builder: TestBuilder;

  beforeAll(async () => {
    hub = await openDevHub();
    builder = await TestBuilder.start(hub);
    await builder.ensureRepo('td1-build');
  });
  afterAll(async () => {
    await builder[Symbol.asyncDispose]();
  });

  it('gives its tasks back, leaves nothing running, and takes them again after its next start', async () => {
    const { build, buildArch, client, alive } = await startForever(builder);
    const states = () =>
      hub.running.change(({ state }) => [build, buildArch].map((id) => state.tables.tasks.mustGet(id).state));
    const buildroots = async () => (await hub.buildroots(buildArch)).map(({ state }) => state);

    const code = await builder.daemon.stop();

    expect(code).toBe(0);
    expect(alive()).toEqual([]);
    expect(await builder.leftovers()).toEqual([]);
    expect(await states()).toEqual([taskState.FREE, taskState.FREE]);
    expect(await buildroots()).toEqual(['EXPIRED']);
    expect(await hub.host(builder.name)).toMatchObject({ ready: false, load: 0 });

    await builder.restart();

    await expect.poll(buildroots, inTime).toEqual(['EXPIRED', 'BUILDING']);
    expect(childOf(await client.taskTree(build), 'buildArch').id).toBe(buildArch);
    await client.call('cancelTask', [build]);
    await expect.poll(() => builder.leftovers(), stopWithin).toEqual([]);
  });
});

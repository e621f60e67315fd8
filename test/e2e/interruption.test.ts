import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { childOf, TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { describeE2e, srpm } from './surroundings.ts';

/** How long a build that was told to stop may go on. */
const stopWithin = { timeout: 10_000, interval: 200 };
const inTime = { timeout: 200_000, interval: 500 };

describeE2e('a build that ignores signals', () => {
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

  const task = (id: number) => hub.running.change(({ state }) => state.tables.tasks.mustGet(id));
  const buildrootStates = async (id: number) => (await hub.buildroots(id)).map(({ state }) => state);

  /** Submits it and waits until it sleeps; gives its buildArch task and the processes of its container. */
  async function startForever() {
    const build = await builder.submit(srpm('forever'));
    const client = await builder.login();
    const buildArch = async () => {
      const { children } = await client.taskTree(build);
      return children.find(({ method }) => method === 'buildArch')?.id;
    };
    await expect.poll(buildArch, inTime).toBeDefined();
    const id = (await buildArch()) ?? 0;
    const log = () => builder.log(id, 'build.log').catch(() => '');
    await expect.poll(log, inTime).toContain('going to sleep');
    const [container = ''] = (await builder.podman.containers()).filter((name) => name.includes('-build-'));
    return { build, buildArch: id, client, processes: await builder.podman.processes(container) };
  }

  const alive = (processes: readonly number[]) => processes.filter((pid) => existsSync(`/proc/${pid}`));

  it('is gone within 10 s of being canceled, and other tasks go on meanwhile', async () => {
    const { build, buildArch, client, processes } = await startForever();
    expect(processes.length).toBeGreaterThan(1);
    const canceledMs = systemClock.now();

    await client.call('cancelTask', [build]);
    const other = z.int().parse(await client.call('makeTask', ['sleep', [0]], { channel: hub.channel }));

    await expect.poll(() => task(other), stopWithin).toMatchObject({ state: taskState.CLOSED });
    await expect
      .poll(async () => [...alive(processes), ...(await builder.leftovers())], stopWithin)
      .toEqual([]);
    expect(systemClock.now() - canceledMs).toBeLessThan(10_000);
    const host = await hub.running.change(({ state }) =>
      state.tables.hosts.find((row) => row.name === builder.name),
    );
    expect((host?.update_time ?? 0) * 1000).toBeGreaterThan(canceledMs);
    expect((await task(buildArch)).state).toBe(taskState.CANCELED);
    await expect.poll(() => buildrootStates(buildArch), stopWithin).toEqual(['EXPIRED']);
    expect(await builder.log(buildArch, 'build.log')).toContain('going to sleep');
  });

  it('goes back to the queue when the daemon is told to stop, and runs again after its next start', async () => {
    const { build, buildArch, client, processes } = await startForever();

    const code = await builder.daemon.stop();

    expect(code).toBe(0);
    expect(alive(processes)).toEqual([]);
    expect(await builder.leftovers()).toEqual([]);
    expect([(await task(build)).state, (await task(buildArch)).state]).toEqual([
      taskState.FREE,
      taskState.FREE,
    ]);
    expect(await buildrootStates(buildArch)).toEqual(['EXPIRED']);
    const host = await hub.running.change(({ state }) =>
      state.tables.hosts.find((row) => row.name === builder.name),
    );
    expect(host).toMatchObject({ ready: false, task_load: 0 });

    await builder.restart();

    await expect.poll(() => buildrootStates(buildArch), inTime).toEqual(['EXPIRED', 'BUILDING']);
    expect(childOf(await client.taskTree(build), 'buildArch').id).toBe(buildArch);
    await client.call('cancelTask', [build]);
    await expect.poll(() => builder.leftovers(), stopWithin).toEqual([]);
  });
});

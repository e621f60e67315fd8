import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ContainerEvent } from '../../scripts/chaos/engine.ts';
import { openRealChaosHub } from '../../scripts/chaos/real-hub.ts';
import { surroundingsOf } from '../../scripts/chaos/surroundings.ts';
import { World } from '../../scripts/chaos/world.ts';
import type { WatchedTask } from '../../src/devhub/client.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { childOf } from './builder.ts';
import { allNumbers, countedIn, countingSpec } from './counting.ts';
import { inTime } from './forever.ts';
import { describeE2e, makeSrpm } from './surroundings.ts';

const environmentFile = process.env['KOJI_TEST_HUB'];
const Started = z.looseObject({ start_ts: z.number().nullable() });

if (environmentFile === undefined)
  describe('lives of a daemon on a real hub', () => {
    it('need one', ({ skip }) => skip('KOJI_TEST_HUB does not name the env.sh of a running hub'));
  });
else describeE2e('lives of a daemon on a real hub', () => describeLives(environmentFile));

/** The daemon is kept by a supervisor, which starts it again whenever it ends. */
function describeLives(hubEnvironment: string): void {
  let world: World;
  let directory: string;
  const events: ContainerEvent[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-lives-'));
    world = await World.open(surroundingsOf(process.env), {
      openHub: () => openRealChaosHub(hubEnvironment),
      withRepo: true,
      rules: { onRequest: () => null },
      onEvent: (event) => events.push(event),
    });
  });
  afterAll(async () => {
    await world?.close();
    await rm(directory, { recursive: true });
  });

  const startOf = async (task: number) => Started.parse(await world.ask('getTaskInfo', [task])).start_ts;
  const isReady = async () => {
    const host = z
      .looseObject({ ready: z.boolean() })
      .parse(await world.ask('getHost', [world.hub.builder.name]));
    return host.ready;
  };

  /** Submits the counting package and waits until it has counted so far. */
  async function count(number: number): Promise<{ readonly build: number; readonly buildArch: number }> {
    const build = await world.submitBuild(await makeSrpm(directory, 'counting', countingSpec(120)));
    const find = async () => (await world.tree(build)).children.find(({ method }) => method === 'buildArch');
    await expect.poll(find, inTime).toBeDefined();
    const buildArch = childOf(await world.tree(build), 'buildArch').id;
    await hasCounted(buildArch, number);
    return { build, buildArch };
  }
  async function hasCounted(buildArch: number, number: number): Promise<void> {
    const counted = async () => countedIn(await logOf(buildArch)).at(-1) ?? 0;
    await expect.poll(counted, { timeout: 120_000, interval: 50 }).toBeGreaterThanOrEqual(number);
  }
  async function logOf(task: number): Promise<string> {
    const path = world.uploadPath(task, 'build.log');
    return existsSync(path) ? readFile(path, 'utf8') : '';
  }

  it('resumes a running build when it is killed three times', async () => {
    const { build, buildArch } = await count(10);
    const startTs = await startOf(buildArch);
    for (const next of [40, 70, 100]) {
      const { starts } = world.daemon;
      world.daemon.kill();
      await expect.poll(() => world.daemon.starts, inTime).toBe(starts + 1);
      await hasCounted(buildArch, next);
    }

    await world.end(build);

    const tree = await world.tree(build);
    expect(tree.state).toBe(taskState.CLOSED);
    expect(childOf(tree, 'buildArch').id).toBe(buildArch);
    expect(await startOf(buildArch)).toBe(startTs);
    expect(countedIn(await logOf(buildArch))).toEqual(allNumbers(120));
    const ends = events.filter(
      ({ taskId, phase, status }) => taskId === buildArch && phase === 'build' && status === 'died',
    );
    expect(ends).toHaveLength(1);
    expect(await world.leftHere()).toEqual([]);
    expect((await world.leftOnHub()).filter((left) => left.startsWith('buildroot'))).toEqual([]);
  });

  it('starts anew for koji restart-hosts, and its tasks go on', async () => {
    // The call makes its task for the default channel, where only our builder is at work.
    await world.ask('addHostToChannel', [world.hub.builder.name, 'default']);
    const { build, buildArch } = await count(5);
    const startTs = await startOf(buildArch);
    const { starts } = world.daemon;

    const options = { channel: world.hub.channel, timeout: 120 };
    const restart = z.int().parse(await world.ask('restartHosts', [], { options }));
    await world.end(restart);

    const tree = await world.tree(restart);
    const byMethod = ({ method, state }: WatchedTask) => `${method} ${state}`;
    expect([byMethod(tree), ...tree.children.map(byMethod).sort()]).toEqual([
      `restartHosts ${taskState.CLOSED}`,
      `restart ${taskState.CLOSED}`,
      `restartVerify ${taskState.CLOSED}`,
    ]);
    expect(world.daemon.starts).toBe(starts + 1);
    await world.end(build);
    expect(await world.stateOf(build)).toBe(taskState.CLOSED);
    expect(await startOf(buildArch)).toBe(startTs);
    expect(countedIn(await logOf(buildArch))).toEqual(allNumbers(120));
    await world.ask('removeHostFromChannel', [world.hub.builder.name, 'default']);
  });

  it('fails restartVerify when nobody has asked for the restart', async () => {
    const sleep = await world.submit('sleep', [0]);
    await world.end(sleep);
    const host = await world.ask('getHost', [world.hub.builder.name]);

    const verify = await world.submit('restartVerify', [sleep, host ?? null]);
    await world.end(verify);

    expect(await world.stateOf(verify)).toBe(taskState.FAILED);
    await expect(world.ask('getTaskResult', [verify])).rejects.toThrow('Restart failed');
  });

  it('drains at SIGUSR1 and comes back', async () => {
    const task = await world.submit('sleep', [3]);
    await expect.poll(() => world.stateOf(task), inTime).toBe(taskState.OPEN);
    const { starts } = world.daemon;

    world.daemon.drain();

    await expect.poll(isReady, inTime).toBe(false);
    await expect.poll(() => world.daemon.starts, inTime).toBe(starts + 1);
    expect(await world.stateOf(task)).toBe(taskState.CLOSED);
    await expect.poll(isReady, inTime).toBe(true);
    expect(world.daemon.codes.at(-1)).toBe(75);
  });
}

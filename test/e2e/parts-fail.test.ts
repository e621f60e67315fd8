import { readFileSync, rmSync, truncateSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DevChaosHub } from '../../scripts/chaos/dev-hub.ts';
import type { ContainerEvent } from '../../scripts/chaos/engine.ts';
import { surroundingsOf } from '../../scripts/chaos/surroundings.ts';
import { World } from '../../scripts/chaos/world.ts';
import { systemClock } from '../../src/core/clock.ts';
import { taskState } from '../../src/devhub/rows.ts';
import type { PassingCall } from '../support/faulty-proxy.ts';
import { childOf } from './builder.ts';
import { allNumbers, countedIn, countingSpec } from './counting.ts';
import { inTime } from './forever.ts';
import { describeE2e, makeSrpm } from './surroundings.ts';

const numbers = 60;

describeE2e('a part of the host that fails while a package is built', () => {
  let world: World;
  let directory: string;
  let counting: string;
  let onEvent: ((event: ContainerEvent) => void) | null = null;
  let onReply: ((call: PassingCall) => void) | null = null;

  beforeAll(async () => {
    const surroundings = surroundingsOf(process.env);
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-parts-'));
    counting = await makeSrpm(directory, 'counting', countingSpec(numbers));
    world = await World.open(surroundings, {
      openHub: (place) => DevChaosHub.open(place, surroundings.distribution),
      withRepo: true,
      rules: { onRequest: () => null, onReply: (call) => onReply?.(call) },
      onEvent: (event) => onEvent?.(event),
    });
  });
  afterAll(async () => {
    await world?.close();
    await rm(directory, { recursive: true });
  });

  /** Builds a package; something happens when a container of this phase first comes to this pass. */
  async function buildWith(
    phase: string,
    status: string,
    strike: () => void,
    srpm?: string,
  ): Promise<number> {
    const struck = Promise.withResolvers<void>();
    onEvent = (event) => {
      if (event.phase !== phase || event.status !== status) return;
      onEvent = null;
      strike();
      struck.resolve();
    };
    const task = await world.submitBuild(srpm);
    await world.end(task);
    // It has come to that, or this was no test.
    await struck.promise;
    return task;
  }

  /** Waits until the counting package has counted so far; gives the build and its buildArch. */
  async function count(number: number) {
    const build = await world.submitBuild(counting);
    const find = async () => (await world.tree(build)).children.find(({ method }) => method === 'buildArch');
    await expect.poll(find, inTime).toBeDefined();
    const { id } = childOf(await world.tree(build), 'buildArch');
    const last = () => {
      try {
        return countedIn(readFileSync(world.uploadPath(id, 'build.log'), 'utf8')).at(-1) ?? 0;
      } catch {
        return 0;
      }
    };
    await expect.poll(last, inTime).toBeGreaterThanOrEqual(number);
    return { build, buildArch: id };
  }

  /** The build log of the `buildArch` below a build, as it lies on the hub. */
  async function logOf(build: number): Promise<string> {
    return readFile(world.uploadPath(childOf(await world.tree(build), 'buildArch').id, 'build.log'), 'utf8');
  }

  it('is built although the service of the engine was killed when the root was installed', async () => {
    let restarted: Promise<void> | undefined;

    const task = await buildWith('install', 'start', () => {
      restarted = world.engine.restart();
    });

    await restarted;
    expect(await world.stateOf(task)).toBe(taskState.CLOSED);
    expect(await world.leftHere()).toEqual([]);
  });

  it('is built although the service of the engine hangs for a while', async () => {
    const hanging: Promise<void>[] = [];

    const task = await buildWith('build', 'start', () => {
      world.engine.pause();
      hanging.push(systemClock.sleep(5000).then(() => world.engine.resume()));
    });

    await Promise.all(hanging);
    expect(await world.stateOf(task)).toBe(taskState.CLOSED);
    expect(await world.leftHere()).toEqual([]);
  });

  it('is built although the clock is set an hour on and two hours back', async () => {
    for (const byMs of [3_600_000, -3_600_000]) {
      const { build } = await count(10);
      world.daemon.setClock(byMs);
      await world.end(build);

      expect(await world.stateOf(build)).toBe(taskState.CLOSED);
      expect(countedIn(await logOf(build))).toEqual(allNumbers(numbers));
    }
    world.daemon.setClock(0);
  });

  describe.skipIf(process.getuid?.() !== 0)('a disk that is full for a while', () => {
    const emptied: Promise<void>[] = [];
    const fill = () => {
      world.area.fill();
      emptied.push(systemClock.sleep(3000).then(() => world.area.empty()));
    };
    const isWell = async (task: number) => {
      await Promise.all(emptied.splice(0));
      expect(await world.stateOf(task)).toBe(taskState.CLOSED);
      expect(countedIn(await logOf(task))).toEqual(allNumbers(numbers));
      expect(await world.leftHere()).toEqual([]);
      expect((await world.leftOnHub()).filter((left) => left.startsWith('buildroot'))).toEqual([]);
    };

    it.each([
      ['the solver begins', 'solve'],
      ['a root is installed', 'install'],
    ])('as %s', async (_what, phase) => {
      await world.forget();
      await isWell(await buildWith(phase, 'start', fill, counting));
    });

    it('as rpmbuild writes its log', async () => {
      const { build } = await count(10);
      fill();
      await world.end(build);
      await isWell(build);
    });

    it('as rpmbuild has ended', async () => {
      const { build, buildArch } = await count(10);
      const struck = Promise.withResolvers<void>();
      onEvent = ({ taskId, phase, status }) => {
        if (taskId !== buildArch || phase !== 'build' || status !== 'died') return;
        onEvent = null;
        fill();
        struck.resolve();
      };
      await struck.promise;
      await world.end(build);
      await isWell(build);
    });

    it.each([
      ['the journal of the task begins', (call: PassingCall) => call.method === 'host.openTask'],
      ['packages are fetched', (call: PassingCall) => call.method === 'host.newBuildRoot'],
      ['packages are uploaded', (call: PassingCall) => call.file?.endsWith('.noarch.rpm') === true],
    ])('as %s', async (what, isIt) => {
      if (what.includes('fetched')) await world.forget();
      const struck = Promise.withResolvers<void>();
      onReply = (call) => {
        if (!isIt(call)) return;
        onReply = null;
        fill();
        struck.resolve();
      };
      const task = await world.submitBuild(counting);
      await world.end(task);
      await struck.promise;
      await isWell(task);
    });
  });

  describe('a log that somebody cuts', () => {
    const engineLogs = () => join(world.area.path, 'adjutant', 'containers');
    const logOfEngine = async (buildArch: number) => {
      const [name] = (await readdir(engineLogs())).filter((each) => each.includes(`-${buildArch}-`));
      return join(engineLogs(), name ?? 'none');
    };

    it('goes on behind a mark while the daemon reads it', async () => {
      const { build, buildArch } = await count(10);

      truncateSync(await logOfEngine(buildArch));
      await world.end(build);

      expect(await world.stateOf(build)).toBe(taskState.CLOSED);
      const log = await logOf(build);
      expect(log).toContain('was cut on the host: output is missing here');
      expect(countedIn(log).at(-1)).toBe(numbers);
      expect(new Set(countedIn(log)).size).toBe(countedIn(log).length);
    });

    it('costs the build a new beginning when the daemon was away', async () => {
      const { build, buildArch } = await count(10);
      const path = await logOfEngine(buildArch);

      world.daemon.kill();
      truncateSync(path);
      await world.end(build);

      expect(await world.stateOf(build)).toBe(taskState.CLOSED);
      expect(countedIn(await logOf(build))).toEqual(allNumbers(numbers));
      expect(await world.leftHere()).toEqual([]);
    });

    it.each([
      ['cut', (path: string) => truncateSync(path)],
      ['removed', (path: string) => rmSync(path)],
    ])('starts the build again when it is the copy that is sent to the hub: %s', async (_how, harm) => {
      const { build, buildArch } = await count(10);

      harm(world.taskPath(buildArch, 'logs', 'build.log'));
      await world.end(build);

      expect(await world.stateOf(build)).toBe(taskState.CLOSED);
      expect(countedIn(await logOf(build))).toEqual(allNumbers(numbers));
      expect(await world.leftHere()).toEqual([]);
    });
  });
});

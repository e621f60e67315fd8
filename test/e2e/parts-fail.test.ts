import { afterAll, beforeAll, expect, it } from 'vitest';
import { DevChaosHub } from '../../scripts/chaos/dev-hub.ts';
import type { ContainerEvent } from '../../scripts/chaos/engine.ts';
import { surroundingsOf } from '../../scripts/chaos/surroundings.ts';
import { World } from '../../scripts/chaos/world.ts';
import { systemClock } from '../../src/core/clock.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { describeE2e } from './surroundings.ts';

describeE2e('a part of the host that fails while a package is built', () => {
  let world: World;
  let onEvent: ((event: ContainerEvent) => void) | null = null;

  beforeAll(async () => {
    const surroundings = surroundingsOf(process.env);
    world = await World.open(surroundings, {
      openHub: (place) => DevChaosHub.open(place, surroundings.distribution),
      withRepo: true,
      rules: { onRequest: () => null },
      onEvent: (event) => onEvent?.(event),
    });
  });
  afterAll(() => world?.close());

  /** Builds a package; does something when a container of this phase first comes to this pass. */
  async function buildWith(phase: string, status: string, strike: () => void): Promise<number> {
    let struck = false;
    onEvent = (event) => {
      if (struck || event.phase !== phase || event.status !== status) return;
      struck = true;
      strike();
    };
    const task = await world.submitBuild();
    await world.end(task);
    onEvent = null;
    expect(struck).toBe(true);
    return world.stateOf(task);
  }

  it('is built although the service of the engine was killed when the root was installed', async () => {
    let restarted: Promise<void> | undefined;

    const state = await buildWith('install', 'start', () => {
      restarted = world.engine.restart();
    });

    await restarted;
    expect(state).toBe(taskState.CLOSED);
    expect(await world.leftHere()).toEqual([]);
  });

  it('is built although the service of the engine hangs for a while', async () => {
    const hanging: Promise<void>[] = [];

    const state = await buildWith('build', 'start', () => {
      world.engine.pause();
      hanging.push(systemClock.sleep(5000).then(() => world.engine.resume()));
    });

    await Promise.all(hanging);
    expect(state).toBe(taskState.CLOSED);
    expect(await world.leftHere()).toEqual([]);
  });

  it.skipIf(process.getuid?.() !== 0)(
    'is built once there is room again when the work area was full as rpmbuild ended',
    async () => {
      const emptied: Promise<void>[] = [];

      const state = await buildWith('build', 'died', () => {
        world.area.fill();
        emptied.push(systemClock.sleep(3000).then(() => world.area.empty()));
      });

      await Promise.all(emptied);
      expect(state).toBe(taskState.CLOSED);
      expect(await world.leftHere()).toEqual([]);
    },
  );
});

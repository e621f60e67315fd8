import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DevChaosHub } from '../../scripts/chaos/dev-hub.ts';
import { surroundingsOf } from '../../scripts/chaos/surroundings.ts';
import { WorkArea } from '../../scripts/chaos/work-area.ts';
import { World } from '../../scripts/chaos/world.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { childOf } from './builder.ts';
import { allNumbers, countedIn, countingSpec } from './counting.ts';
import { inTime } from './forever.ts';
import { describeE2e, makeSrpm } from './surroundings.ts';

const numbers = 100;

/** Why a disk cannot be damaged here, or null. */
const missing =
  process.getuid?.() !== 0
    ? 'needs root'
    : existsSync('/dev/loop-control') && existsSync('/sbin/mkfs.ext4')
      ? null
      : 'needs loop devices and mkfs.ext4';

if (missing !== null)
  describe('a disk that becomes read-only', () => it('cannot be had', ({ skip }) => skip(missing)));
else
  describeE2e('a disk that becomes read-only', () => {
    let world: World;
    let directory: string;

    beforeAll(async () => {
      const surroundings = surroundingsOf(process.env);
      directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-read-only-'));
      world = await World.open(surroundings, {
        openHub: (place) => DevChaosHub.open(place, surroundings.distribution),
        withRepo: true,
        rules: { onRequest: () => null },
        onEvent: () => undefined,
        openArea: WorkArea.onDisk,
      });
    });
    afterAll(async () => {
      await world?.close();
      await rm(directory, { recursive: true });
    });

    it('costs a build a new beginning, and the host takes nothing until it is mended', async () => {
      const build = await world.submitBuild(await makeSrpm(directory, 'counting', countingSpec(numbers)));
      const buildArch = async () =>
        (await world.tree(build)).children.find(({ method }) => method === 'buildArch')?.id ?? 0;
      await expect.poll(buildArch, inTime).toBeGreaterThan(0);
      const id = await buildArch();
      const log = () => readFile(world.uploadPath(id, 'build.log'), 'utf8').catch(() => '');
      await expect.poll(async () => countedIn(await log()).length, inTime).toBeGreaterThan(10);
      const isReady = async () =>
        z.looseObject({ ready: z.boolean() }).parse(await world.ask('getHost', [world.hub.builder.name]))
          .ready;

      world.area.damage();

      await expect.poll(() => world.stateOf(id), inTime).toBe(taskState.FREE);
      await expect.poll(isReady, inTime).toBe(false);
      await expect.poll(() => world.engine.containers(), inTime).toEqual([]);
      expect(await readFile(world.logPath, 'utf8')).toContain('on a file system that is read-only');

      expect(await world.daemon.stopFor(() => world.area.mend())).toBe(0);
      await world.end(build);

      expect(await world.stateOf(build)).toBe(taskState.CLOSED);
      expect(countedIn(await log())).toEqual(allNumbers(numbers));
      expect(childOf(await world.tree(build), 'buildArch').id).toBe(id);
      expect(await world.leftHere()).toEqual([]);
    });
  });

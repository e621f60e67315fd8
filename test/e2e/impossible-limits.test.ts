import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { never } from '../../src/core/never.ts';
import { AttackBench, type AttackedBuild } from './attack-bench.ts';
import { TestBuilder } from './builder.ts';
import { type DevTestHub, openDevHub } from './dev-hub.ts';
import { ownTarget } from './own-target.ts';
import { describeE2e, srpm, surroundings } from './surroundings.ts';

describeE2e('limits that no build can meet', () => {
  describe('in a container of the build', () => {
    let bench: AttackBench;

    beforeAll(async () => {
      bench = await AttackBench.open();
    });
    afterAll(() => bench[Symbol.asyncDispose]());

    it.for([
      [
        'memory',
        { limits: { memoryBytes: 2 ** 20 } },
        /memory limit.*smaller than what a container needs to start/,
      ],
      // The runtime itself does not always get as far as the build.
      [
        'processes',
        { limits: { pids: 1 } },
        /stopped by the limit of 1 processes \(peak 1\)|more than its limit of 1 processes to start/,
      ],
      // Disk is looked at only while the build runs.
      [
        'disk',
        { script: 'sleep 60', codeLimits: { diskBytes: 1000 } },
        /killed by the disk limit of 1000 bytes \(peak .*\)/,
      ],
      ['output', { codeLimits: { logBytes: 10 } }, /killed by the log limit of 10 bytes \(peak .*\)/],
      [
        'open files above the hard limit',
        { limits: { ulimits: { nofile: { soft: 10 ** 9, hard: 10 ** 9 } } } },
        /the ulimits are higher than this host allows: lower them/,
      ],
      [
        'address space',
        { limits: { ulimits: { as: { soft: 1000, hard: 1000 } } } },
        /cannot start with so little memory: raise the ulimits of address space/,
      ],
      ['processors', { limits: { cpus: 0.001 } }, /CPU cfs quota cannot be less than 1ms/],
    ] satisfies readonly (readonly [string, Partial<AttackedBuild>, RegExp])[])(
      'end it with their name, and leave nothing: %s',
      async ([_what, limits, words]) => {
        // The root is made without them.
        const made = await bench.build({ script: 'echo fine' });
        expect(String(made.error)).toBe('null');

        const { error, results } = await bench.build({ script: 'echo fine', ...limits });

        expect(results).toBeNull();
        expect(String(error)).toMatch(words);
        const { runtime, workerId } = bench.host;
        expect(await runtime.list(workerId, never)).toEqual([]);
      },
    );
  });

  describe("in a tag's policy", () => {
    let hub: DevTestHub;
    let builder: TestBuilder;

    beforeAll(async () => {
      hub = await openDevHub();
      builder = await TestBuilder.start(hub);
    });
    afterAll(() => builder[Symbol.asyncDispose]());

    const build = async (name: string, limits: Record<string, string | number>) => {
      const rules = [{ type: 'default', image: surroundings().image, limits }];
      const target = await ownTarget(hub, builder, name, {
        adjutant_image_policy: { version: '1.0', rules },
      });
      const rebuild = await builder.child(await builder.build(srpm('hello'), { target }), 'rebuildSRPM');
      return { fault: rebuild.fault, task: rebuild.tree.id };
    };

    it('fail the task before it has a buildroot when that is known beforehand', async () => {
      const { fault, task } = await build('little', { memory: '1m', pids: 1, cpus: 0.001 });

      expect(fault?.code).toBe(1000);
      expect(fault?.text).toMatch(
        /^tag little-build: .*memory must be .* at least 4m.*pids.*at least 4.*cpus/s,
      );
      expect(await hub.buildroots(task)).toEqual([]);
      expect(await builder.leftovers()).toEqual([]);
    });

    it('fail the root with the name of the limit when dnf has too little', async () => {
      const { fault, task } = await build('small', { memory: '10m' });

      expect(fault).toEqual({
        code: 1012,
        text: 'could not init buildroot, exited with status 30; see root.log for more information: killed by the memory limit of 10 MiB (peak 10 MiB)',
      });
      expect(await builder.log(task, 'root.log')).toMatch(
        /^choose packages for @srpm-build: killed by the memory limit/m,
      );
      expect((await hub.buildroots(task)).map(({ state }) => state)).toEqual(['EXPIRED']);
      expect(await builder.leftovers()).toEqual([]);
    });
  });
});

import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { never } from '../../src/core/never.ts';
import { AttackBench } from './attack-bench.ts';
import { describeE2e, surroundings } from './surroundings.ts';

describeE2e('a snapshot that is removed between the look for it and its use', () => {
  let bench: AttackBench;

  beforeAll(async () => {
    bench = await AttackBench.open();
    expect((await bench.build({ script: 'echo made' })).error).toBeNull();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it('sends its task back to the queue with nothing left, and the next one makes it again', async () => {
    const { runtime, workerId, cache } = bench.host;
    const removed: string[] = [];
    const podman = ['--url', `unix://${surroundings().socket}`];

    const { error } = await bench.build({
      script: 'echo never',
      // The root has been found, and the engine is asked for a container of it.
      unseal(body) {
        const image = String(body['image']);
        removed.push(image);
        execFileSync('podman', [...podman, 'rmi', '--force', image]);
        return body;
      },
    });

    expect(removed).toEqual([expect.stringMatching(/^localhost\/koji-adjutant-root-/)]);
    expect(error).toMatchObject({
      code: 'no-such-container',
      message: `root ${removed[0]} was removed while it was needed`,
    });
    expect(await runtime.list(workerId, never)).toEqual([]);
    const again = await bench.build({ script: 'echo again' });
    expect(again.log).toContain('\nagain\n');
    expect(again.error).toBeNull();
    expect(await runtime.list(workerId, never)).toEqual([]);
    expect((await cache.snapshots.list(never)).length).toBeGreaterThan(0);
  });
});

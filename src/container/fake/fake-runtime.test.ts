import { describe, expect, it } from 'vitest';
import type { Clock } from '../../core/clock.ts';
import { never } from '../../core/never.ts';
import type { ContainerSpec } from '../spec.ts';
import type { FakeBehaviour } from './behaviour.ts';
import { FakeRuntime } from './fake-runtime.ts';

const image = { id: 'i', digest: 'sha256:0', arch: 'x86_64' };

const spec: ContainerSpec = {
  name: 'one',
  root: { kind: 'image', image: 'localhost/root:1' },
  command: ['/bin/sh'],
  env: {},
  workdir: '/',
  user: { uid: 0, gid: 0 },
  capabilities: [],
  isolation: 'plain',
  network: 'none',
  hostname: 'h',
  mounts: [],
  limits: { pids: 1 },
  owner: { workerId: 'w', taskId: 1, phase: 'p', attempt: 1 },
  labels: {},
};

async function setUp(behave?: (spec: ContainerSpec) => FakeBehaviour) {
  const slept: number[] = [];
  const clock: Clock = {
    now: () => 0,
    uptime: () => 0,
    async sleep(ms) {
      slept.push(ms);
    },
  };
  const images = { 'localhost/root:1': image, 'reg/secret:1': 'image-denied' } as const;
  const runtime = new FakeRuntime({ clock, images, ...(behave === undefined ? {} : { behave }) });
  await runtime.images.ensure('localhost/root:1', 'never', never);
  return { runtime, slept };
}

describe('FakeRuntime', () => {
  it('behaves as the environment of the spec says', async () => {
    const { runtime, slept } = await setUp();
    const env = { FAKE_EXIT_CODE: '30', FAKE_OUTPUT: 'text', FAKE_RUN_MS: '1500' };
    await using container = await runtime.create({ ...spec, env }, never);

    await container.start(never);

    expect(await container.wait(never)).toEqual({ code: 30, oomKilled: false });
    expect(slept).toEqual([1500]);
    for await (const chunk of container.output(never)) expect(Buffer.from(chunk).toString()).toBe('text');
  });

  it('fails the start that the environment wants to fail', async () => {
    const { runtime } = await setUp();
    await using container = await runtime.create({ ...spec, env: { FAKE_START_FAIL: 'no loader' } }, never);

    await expect(container.start(never)).rejects.toMatchObject({
      code: 'start-failed',
      message: expect.stringContaining('no loader'),
    });
  });

  it('runs a main function, which can write and sees the end', async () => {
    const { runtime } = await setUp(() => ({
      async main(process) {
        process.write(`I am ${process.spec.name}`);
        return 9;
      },
    }));
    await using container = await runtime.create(spec, never);

    await container.start(never);

    expect(await container.wait(never)).toMatchObject({ code: 9 });
  });

  it('hands out the error of an image', async () => {
    const { runtime } = await setUp();

    await expect(runtime.images.ensure('reg/secret:1', 'always', never)).rejects.toMatchObject({
      code: 'image-denied',
    });
    await expect(runtime.images.ensure('reg/unknown:1', 'always', never)).rejects.toMatchObject({
      code: 'image-missing',
    });
  });

  it('records specs and calls in order', async () => {
    const { runtime } = await setUp();
    const container = await runtime.create(spec, never);
    await container.start(never);
    await container[Symbol.asyncDispose]();

    expect(runtime.created).toEqual([spec]);
    expect(runtime.calls).toEqual(['ensureImage localhost/root:1', 'create one', 'start one', 'remove one']);
    expect(() => runtime.assertClean()).not.toThrow();
  });

  it('complains about what is left over and what was wrong', async () => {
    const { runtime } = await setUp();
    const container = await runtime.create(spec, never);
    await expect(container.wait(never)).rejects.toThrow();
    const unseen = runtime.create(
      { ...spec, name: 'two', root: { kind: 'image', image: 'localhost/unseen:1' } },
      never,
    );
    await expect(unseen).rejects.toMatchObject({ code: 'image-missing' });

    expect(() => runtime.assertClean()).toThrow(/not started.*was not ensured.*one is left over/);
  });
});

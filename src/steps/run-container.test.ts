import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { FakeBehaviour } from '../container/fake/behaviour.ts';
import { FakeRuntime } from '../container/fake/fake-runtime.ts';
import type { ContainerSpec } from '../container/spec.ts';
import type { Container } from '../container/step-runtime.ts';
import { never } from '../core/never.ts';
import { runContainer } from './run-container.ts';

const spec: ContainerSpec = {
  name: 'phase',
  root: { kind: 'image', image: 'localhost/root:1' },
  command: ['/bin/true'],
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

class TextSink {
  text = '';

  async write(bytes: Uint8Array | string): Promise<void> {
    await new Promise(setImmediate);
    this.text += Buffer.from(bytes).toString();
  }
}

async function setUp(behaviour: FakeBehaviour) {
  const clock = new ManualClock();
  const images = { 'localhost/root:1': { id: 'i', digest: 'sha256:0', arch: 'x86_64' } };
  const runtime = new FakeRuntime({ clock, images, behave: () => behaviour });
  await runtime.images.ensure('localhost/root:1', 'never', never);
  return { clock, runtime, container: await runtime.create(spec, never), log: new TextSink() };
}

describe('runContainer', () => {
  it('gives the exit code once all output is in the log', async () => {
    const { clock, runtime, container, log } = await setUp({
      async main(process) {
        for (let i = 0; i < 50; i += 1) process.write(`${i} `);
        return 30;
      },
    });

    const result = await runContainer(container, log, clock, never);

    expect(result).toEqual({ code: 30, timedOut: false, ranInto: null, ranMs: null });
    expect(log.text.trim().split(' ')).toHaveLength(50);
    expect(runtime.calls.slice(2)).toEqual(['start phase', 'wait phase', 'output phase']);
  });

  it('kills what takes too long and keeps what it wrote', async () => {
    const { clock, container, log } = await setUp({
      output: 'so far\n',
      runMs: Number.POSITIVE_INFINITY,
      ignoresTerm: true,
    });

    const running = runContainer(container, log, clock, never, { timeoutMs: 60_000 });
    await clock.asleep();
    await clock.advance(59_999);
    expect(await Promise.race([running, Promise.resolve('still running')])).toBe('still running');
    await clock.advance(1);
    // The fake gives it no time to end, on this clock.
    await clock.advance(0);

    expect(await running).toEqual({ code: 137, timedOut: true, ranInto: null, ranMs: null });
    expect(log.text).toBe('so far\n');
  });

  it('lets go of the clock when it ends in time', async () => {
    const { clock, container, log } = await setUp({});

    expect(await runContainer(container, log, clock, never, { timeoutMs: 60_000 })).toEqual({
      code: 0,
      timedOut: false,
      ranInto: null,
      ranMs: null,
    });
    expect(clock.sleeping).toBe(0);
  });

  it('waits for as long as it takes without a timeout', async () => {
    const { clock, container, log } = await setUp({ runMs: 1_000_000 });

    const running = runContainer(container, log, clock, never);
    await clock.asleep();
    await clock.advance(1_000_000);

    expect(await running).toEqual({ code: 0, timedOut: false, ranInto: null, ranMs: null });
  });

  it('gives up with the reason when it is aborted and leaves the container alone', async () => {
    const { clock, runtime, container, log } = await setUp({ runMs: Number.POSITIVE_INFINITY });
    const abort = new AbortController();

    const running = runContainer(container, log, clock, abort.signal, { timeoutMs: 60_000 });
    await clock.asleep();
    abort.abort(new Error('cancelled'));

    await expect(running).rejects.toThrow('cancelled');
    expect(clock.sleeping).toBe(0);
    expect(runtime.calls.filter((call) => call.startsWith('stop'))).toEqual([]);
  });

  it('rejects when the container cannot be started', async () => {
    const { clock, container, log } = await setUp({ startFail: 'no loader' });

    await expect(runContainer(container, log, clock, never, { timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'start-failed',
    });
    expect(clock.sleeping).toBe(0);
  });

  it('rejects when the log cannot be written', async () => {
    const { clock, container } = await setUp({ output: 'x', runMs: Number.POSITIVE_INFINITY });
    const full = { write: () => Promise.reject(new Error('ENOSPC')) };

    await expect(runContainer(container, full, clock, never, { timeoutMs: 60_000 })).rejects.toThrow(
      'ENOSPC',
    );
  });

  it('rejects at once when the container cannot be killed', async () => {
    const { clock, container, log } = await setUp({ runMs: Number.POSITIVE_INFINITY });
    const stuck: Container = Object.create(container, {
      stop: { value: () => Promise.reject(new Error('engine went away')) },
      start: { value: (signal: AbortSignal) => container.start(signal) },
      wait: { value: (signal: AbortSignal) => container.wait(signal) },
      output: { value: (signal: AbortSignal) => container.output(signal) },
    });

    const rejected = expect(runContainer(stuck, log, clock, never, { timeoutMs: 60_000 })).rejects.toThrow(
      'engine went away',
    );
    await clock.asleep();
    await clock.advance(60_000);

    await rejected;
  });
});

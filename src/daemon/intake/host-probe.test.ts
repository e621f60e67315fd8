import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { ContainerError } from '../../container/errors.ts';
import { FakeRuntime } from '../../container/fake/fake-runtime.ts';
import type { RuntimeInfo } from '../../container/step-runtime.ts';
import { never } from '../../core/never.ts';
import { HostProbe } from './host-probe.ts';

const engine = new FakeRuntime({ clock: new FakeClock(), images: {} });

const answering = {
  ping: (by: AbortSignal) => engine.ping(by),
  probe: (by: AbortSignal) => engine.probe(by),
};

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'adjutant-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

const signal = never;

describe('HostProbe', () => {
  it('looks at the disk of the work directory and of the images', async () => {
    const [work, images] = [await directory(), await directory()];
    const probe = new HostProbe(
      { ...answering, probe: async (by) => ({ ...(await engine.probe(by)), storagePath: images }) },
      work,
      5,
      new ManualClock(),
    );

    const looked = await probe.look(signal);

    expect([...looked.freeBytes.keys()]).toEqual([work, images]);
    for (const free of looked.freeBytes.values()) expect(free).toBeGreaterThan(0);
    expect(looked).toMatchObject({ minSpaceBytes: 5, engineProblem: null });
    expect(looked.processors).toBeGreaterThan(0);
    expect(looked.loadAverage).toBeGreaterThanOrEqual(0);
  });

  it('says that the engine does not answer, and looks at the rest', async () => {
    const work = await directory();
    const failing = {
      ...answering,
      ping: async () => {
        throw new ContainerError('runtime-down', 'connect ENOENT /run/podman.sock');
      },
    };

    const looked = await new HostProbe(failing, work, 5, new ManualClock()).look(signal);

    expect(looked.engineProblem).toBe(
      'the container engine does not answer: connect ENOENT /run/podman.sock',
    );
    expect([...looked.freeBytes.keys()]).toEqual([work]);
  });

  it('asks the engine each time whether it is there, and seldom where its storage is', async () => {
    const clock = new ManualClock();
    const calls: string[] = [];
    let down = false;
    const containers = {
      async ping() {
        calls.push('ping');
        if (down) throw new ContainerError('runtime-down', 'gone');
      },
      async probe(by: AbortSignal) {
        calls.push('probe');
        return engine.probe(by);
      },
    };
    const probe = new HostProbe(containers, await directory(), 5, clock);
    const look = async () => {
      const { engineProblem } = await probe.look(signal);
      return [engineProblem, ...calls.splice(0)];
    };

    expect(await look()).toEqual([null, 'ping', 'probe']);
    await clock.advance(899_999);
    expect(await look()).toEqual([null, 'ping']);
    await clock.advance(1);
    expect(await look()).toEqual([null, 'ping', 'probe']);
    expect(await look()).toEqual([null, 'ping']);
    down = true;
    expect(await look()).toEqual(['the container engine does not answer: gone', 'ping']);
    down = false;
    expect(await look()).toEqual([null, 'ping', 'probe']);
  });

  it('waits ten seconds for an engine that is too busy to say where its storage is, and asks it once', async () => {
    const clock = new ManualClock();
    const images = await directory();
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    let asked = 0;
    const containers = {
      ...answering,
      async probe(by: AbortSignal) {
        asked += 1;
        await answered;
        return { ...(await engine.probe(by)), storagePath: images };
      },
    };
    const work = await directory();
    const probe = new HostProbe(containers, work, 5, clock);

    for (let look = 0; look < 2; look += 1) {
      const looking = probe.look(signal);
      await clock.asleep(10_000);
      await clock.advance(10_000);
      const { engineProblem, freeBytes } = await looking;
      expect(engineProblem).toBe(
        'the container engine does not report where its storage is: not yet, it is busy',
      );
      expect([...freeBytes.keys()]).toEqual([work]);
    }
    answer();
    const { engineProblem, freeBytes } = await probe.look(signal);

    expect(engineProblem).toBeNull();
    expect([...freeBytes.keys()]).toEqual([work, images]);
    expect(asked).toBe(1);
  });

  it('looks on while it asks again, whatever comes of that', async () => {
    const clock = new ManualClock();
    const images = await directory();
    let asked = 0;
    const containers = {
      ...answering,
      async probe(by: AbortSignal) {
        asked += 1;
        if (asked > 1) throw new ContainerError('runtime-down', 'too busy');
        return { ...(await engine.probe(by)), storagePath: images };
      },
    };
    const probe = new HostProbe(containers, await directory(), 5, clock);
    await probe.look(signal);
    await clock.advance(900_000);

    const { engineProblem, freeBytes } = await probe.look(signal);

    expect(engineProblem).toBeNull();
    expect([...freeBytes.keys()]).toContain(images);
    expect(asked).toBe(2);
  });

  it('gives up when it is aborted', async () => {
    const abort = new AbortController();
    const hanging = {
      ping: (by: AbortSignal) =>
        new Promise<void>((_resolve, reject) => {
          by.addEventListener('abort', () => reject(by.reason as Error));
        }),
      probe: () => new Promise<RuntimeInfo>(() => undefined),
    };
    const work = await directory();
    const pinging = new HostProbe(hanging, work, 5, new ManualClock()).look(abort.signal);
    const asking = new HostProbe({ ...hanging, ping: answering.ping }, work, 5, new ManualClock()).look(
      abort.signal,
    );

    abort.abort(new Error('stop'));

    await expect(pinging).rejects.toThrow('stop');
    await expect(asking).rejects.toThrow('stop');
  });

  it('rejects when the work directory is gone', async () => {
    const probe = new HostProbe(engine, '/nonexistent/work', 5, new ManualClock());

    await expect(probe.look(signal)).rejects.toThrow('ENOENT');
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { ContainerError } from '../container/errors.ts';
import { FakeManager } from '../container/fake/fake-manager.ts';
import type { BackendInfo } from '../container/manager.ts';
import { HostProbe } from './host-probe.ts';

const engine = new FakeManager({ clock: new FakeClock(), images: {} });

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'adjutant-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

const { signal } = new AbortController();

describe('HostProbe', () => {
  it('looks at the disk of the work directory and of the images', async () => {
    const [work, images] = [await directory(), await directory()];
    const probe = new HostProbe(
      { probe: async (by) => ({ ...(await engine.probe(by)), storagePath: images }) },
      work,
      5,
      new FakeClock(),
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
      probe: async () => {
        throw new ContainerError('runtime-down', 'connect ENOENT /run/podman.sock');
      },
    };

    const looked = await new HostProbe(failing, work, 5, new FakeClock()).look(signal);

    expect(looked.engineProblem).toBe(
      'the container engine does not answer: connect ENOENT /run/podman.sock',
    );
    expect([...looked.freeBytes.keys()]).toEqual([work]);
  });

  it('lets a good answer of the engine count for 15 s, and asks again after a bad one', async () => {
    const clock = new ManualClock();
    let asked = 0;
    let down = false;
    const containers = {
      async probe(by: AbortSignal) {
        asked += 1;
        if (down) throw new ContainerError('runtime-down', 'gone');
        return engine.probe(by);
      },
    };
    const probe = new HostProbe(containers, await directory(), 5, clock);
    const problem = async () => (await probe.look(signal)).engineProblem;

    await probe.look(signal);
    down = true;
    await clock.advance(14_999);
    expect([await problem(), asked]).toEqual([null, 1]);
    await clock.advance(1);
    expect([await problem(), asked]).toEqual([expect.stringContaining('gone'), 2]);
    down = false;
    expect([await problem(), asked]).toEqual([null, 3]);
  });

  it('gives up when it is aborted', async () => {
    const abort = new AbortController();
    const hanging = {
      probe: (by: AbortSignal) =>
        new Promise<BackendInfo>((_resolve, reject) => {
          by.addEventListener('abort', () => reject(by.reason as Error));
        }),
    };
    const looking = new HostProbe(hanging, await directory(), 5, new FakeClock()).look(abort.signal);

    abort.abort(new Error('stop'));

    await expect(looking).rejects.toThrow('stop');
  });

  it('rejects when the work directory is gone', async () => {
    const probe = new HostProbe(engine, '/nonexistent/work', 5, new FakeClock());

    await expect(probe.look(signal)).rejects.toThrow('ENOENT');
  });
});

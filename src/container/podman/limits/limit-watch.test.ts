import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { Engine } from '../api/client.ts';
import { LimitWatch, ownCgroup } from './limit-watch.ts';
import { OomAccounting } from './oom-accounting.ts';

it('ends without an error when it is over before the engine has answered at all', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-watch-'));
  const silent = createServer();
  const socketPath = join(directory, 'engine.sock');
  silent.listen(socketPath);
  await once(silent, 'listening');
  onTestFinished(async () => {
    silent.closeAllConnections();
    silent.close();
    await rm(directory, { recursive: true });
  });
  const engine = new Engine({ socketPath, clock: systemClock, reconnectMs: 0, timeoutMs: 60_000 });
  const watch = new LimitWatch({
    engine,
    clock: systemClock,
    id: 'f00d',
    logPath: join(directory, 'log'),
    lentBy: [],
    limits: { pids: 1 },
    kills: new OomAccounting(),
    kill: async () => undefined,
  });
  const over = new AbortController();

  const watching = watch.run(over.signal);
  await once(silent, 'request');
  over.abort();

  await expect(watching).resolves.toBeUndefined();
  expect(await watch.hit(0, false)).toBeUndefined();
});

it.each([
  ['more than it may', 'x'.repeat(101), { limit: 'log', allowed: 100, peak: 101 }],
  ['as much as it may', 'x'.repeat(100), undefined],
  ['nothing that is left', null, undefined],
])('tells of a container that has ended before anybody looked how it wrote %s', async (_what, log, hit) => {
  const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-watch-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const logPath = join(directory, 'log');
  if (log !== null) await writeFile(logPath, log);
  const engine = new Engine({ socketPath: '', clock: systemClock, reconnectMs: 0, timeoutMs: 0 });
  const watch = new LimitWatch({
    engine,
    clock: systemClock,
    id: 'f00d',
    logPath,
    lentBy: [],
    kill: async () => undefined,
    limits: { pids: 1, logBytes: 100 },
    kills: new OomAccounting(),
  });

  expect(await watch.hit(0, false)).toEqual(hit);
});

it.each([
  ['/libpod_parent/libpod-f00d', '/libpod_parent/libpod-f00d'],
  ['/machine.slice/libpod-f00d.scope/container', '/machine.slice/libpod-f00d.scope/container'],
  // A rootless engine on cgroup v1: its own.
  ['/user.slice/session-1', null],
  ['', null],
  [null, null],
])('takes the cgroup %s for that of the container only where it is', (path, own) => {
  expect(ownCgroup({ CgroupPath: path }, 'f00d')).toBe(own);
});

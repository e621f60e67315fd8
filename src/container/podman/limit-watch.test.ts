import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { Engine } from './engine.ts';
import { KillLedger } from './kill-ledger.ts';
import { LimitWatch, ownCgroup } from './limit-watch.ts';

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
    ...{ engine, clock: systemClock, id: 'f00d', logPath: join(directory, 'log'), lentBy: [] },
    ...{ limits: { pids: 1 }, kills: new KillLedger(), kill: async () => undefined },
  });
  const over = new AbortController();

  const watching = watch.run(over.signal);
  await once(silent, 'request');
  over.abort();

  await expect(watching).resolves.toBeUndefined();
  expect(await watch.hit(0, false)).toBeUndefined();
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

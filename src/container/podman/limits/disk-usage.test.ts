import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../../../../test/support/temporary-directory.ts';
import { systemClock } from '../../../core/clock.ts';
import { never } from '../../../core/never.ts';
import { Engine } from '../api/client.ts';
import { deletedBytes, diskUse, parseOverlayDevices, parseWritableLayers } from './disk-usage.ts';

it('finds each layer that is written to once, and none in what is mounted from elsewhere', () => {
  const mountInfo = `500 400 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/store/1/diff,workdir=/store/1/work
501 500 0:51 / /proc rw,nosuid - proc proc rw
502 500 0:52 /builddir /builddir rw,nosuid,nodev - overlay overlay rw,lowerdir=/l/C,upperdir=/store/with\\040blank/diff,workdir=/store/2/work
503 500 0:52 /tmp /tmp rw,nosuid,nodev - overlay overlay rw,lowerdir=/l/C,upperdir=/store/with\\040blank/diff,workdir=/store/2/work
504 500 8:1 /srv/in /adjutant/in ro - ext4 /dev/vda rw
505 500 0:53 / /image ro - overlay overlay ro,lowerdir=/l/D:/l/E
`;

  expect(parseWritableLayers(mountInfo)).toEqual(['/store/1/diff', '/store/with blank/diff']);
});

it('knows overlays by their devices, of which minor numbers can be large', () => {
  const mountInfo = `500 400 0:50 / / rw - overlay overlay rw,upperdir=/a
501 500 0:51 / /proc rw - proc proc rw
502 500 0:1029 / /b rw - overlay overlay rw,upperdir=/b
`;

  expect([...parseOverlayDevices(mountInfo)]).toEqual([50, 4 * 2 ** 20 + 5]);
});

it('counts what a process holds open without a name, once', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, 'file');
  await using file = await open(path, 'w');
  await using again = await open(path, 'r');
  await file.writeFile(Buffer.alloc(1024 * 1024, 1));
  await file.sync();
  const { dev } = await again.stat();

  expect(await deletedBytes([process.pid], new Set([dev]))).toBeLessThan(1024 * 1024);
  await rm(path);

  const found = await deletedBytes([process.pid, process.pid], new Set([dev]));
  expect(found).toBeGreaterThanOrEqual(1024 * 1024);
  expect(found).toBeLessThan(2 * 1024 * 1024);
  expect(await deletedBytes([process.pid], new Set())).toBe(0);
});

it.skipIf(process.getuid?.() !== 0)('knows a process that has ended, looked after or not', async () => {
  // Waits to be looked after: nobody asks for it before this process does, at the end of this turn.
  const child = spawn('true', { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  while (!readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
  const engine = new Engine({ socketPath: '/none', clock: systemClock, reconnectMs: 0, timeoutMs: 1 });

  const asZombie = diskUse(engine, { pid, layers: [] }, never);
  await once(child, 'exit');

  expect(await asZombie).toBeNull();
  expect(await diskUse(engine, { pid, layers: [] }, never)).toBeNull();
});

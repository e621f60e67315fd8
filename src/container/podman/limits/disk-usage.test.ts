import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { never } from '../../../core/never.ts';
import { Engine } from '../api/client.ts';
import { diskUse, parseWritableLayers } from './disk-usage.ts';

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

import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { createLogger } from '../../core/logger.ts';
import { never } from '../../core/never.ts';
import { PodmanRuntime } from './podman-runtime.ts';

const limit = { soft: 1, hard: 1 };

it('asks the engine and chooses the seccomp profile once for all who ask, and again when it could not be written', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-runtime-'));
  const profile = join(directory, 'engine.json');
  await writeFile(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] }));
  let asked = 0;
  const engine = createServer((_request, response) => {
    asked += 1;
    const security = { rootless: false, seccompEnabled: true, seccompProfilePath: profile };
    const info = { host: { arch: 'amd64', cgroupVersion: 'v2', security }, version: { Version: '5.4.0' } };
    const store = { graphDriverName: 'overlay', graphRoot: directory, runRoot: directory };
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ ...info, store }));
  });
  const socketPath = join(directory, 'engine.sock');
  engine.listen(socketPath);
  await once(engine, 'listening');
  onTestFinished(async () => {
    engine.closeAllConnections();
    engine.close();
    await rm(directory, { recursive: true });
  });
  const place = join(directory, 'place');
  const runtime = new PodmanRuntime({
    socketPath,
    clock: systemClock,
    reconnectMs: 0,
    timeoutMs: 60_000,
    pullMs: 60_000,
    places: { workDir: directory, topDir: directory, logDir: directory },
    logger: createLogger('silent'),
    ulimits: { nofile: limit, nproc: limit },
    seccompPath: join(place, 'seccomp.json'),
  });

  await expect(runtime.seccomp(never)).rejects.toMatchObject({ code: 'ENOENT' });
  await mkdir(place);
  const choices = await Promise.all([runtime.seccomp(never), runtime.seccomp(never)]);

  expect(choices).toEqual([0, 1].map(() => expect.objectContaining({ kind: 'extended' })));
  expect(await readFile(join(place, 'seccomp.json'), 'utf8')).toContain('personality');
  await runtime.seccomp(never);
  expect(asked).toBe(1);
});

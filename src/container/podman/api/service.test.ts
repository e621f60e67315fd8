import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '../../../../test/support/manual-clock.ts';
import { stopService } from './service.ts';

const isRoot = process.getuid?.() === 0;

it.skipIf(!isRoot)('ends no process of another user, whatever that calls itself', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'service-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const socketPath = join(directory, 'podman.sock');
  const words = ['podman', 'system', 'service', '--time=0', `unix://${socketPath}`];
  const start = async (uid: number) => {
    const child = spawn('/bin/sh', ['-c', 'echo ready; read -r word', ...words], {
      uid,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    await once(child.stdout ?? child, 'data');
    return child;
  };
  const [own, other] = await Promise.all([start(0), start(65_534)]);
  const ended = once(own, 'exit');
  const clock = new ManualClock();
  const stopping = stopService({
    socketPath,
    logPath: join(directory, 'log'),
    env: {},
    clock,
    timeoutMs: 1000,
  });

  await ended;
  await clock.asleep();
  await clock.advance(50);
  await stopping;

  expect(other.exitCode ?? other.signalCode).toBeNull();
  other.stdin?.end('\n');
  await once(other, 'exit');
});

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '../../../../test/support/manual-clock.ts';
import { never } from '../../../core/never.ts';
import { Engine } from '../api/client.ts';
import { removeContainer } from '../remove-container.ts';
import { RootMounts } from './root-mounts.ts';

const id = 'f00d';
const state = { Status: 'created', ExitCode: 0, OOMKilled: false, StartedAt: '', FinishedAt: '' };

/** An engine whose storage is locked, as by a commit: what changes it gets its answer when `unlock` is called. */
async function openLocked() {
  const directory = await mkdtemp(join(tmpdir(), 'roots-'));
  const socketPath = join(directory, 'podman.sock');
  const { promise: unlocked, resolve: unlock } = Promise.withResolvers<void>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    const name = `${request.method} ${path.split('/').at(-1)}`;
    asked.push(name);
    const isLook = name === 'GET json';
    const found = JSON.stringify({
      Id: id,
      Name: 'one',
      State: state,
      Config: {},
      GraphDriver: { Name: 'overlay' },
    });
    const answer = () => {
      response.writeHead(isLook || name === 'POST mount' ? 200 : 204, { 'Content-Type': 'application/json' });
      response.end(isLook ? found : name === 'POST mount' ? '"/merged"' : '');
    };
    if (name === 'POST unmount' || request.method === 'DELETE') void unlocked.then(answer);
    else answer();
  });
  server.listen(socketPath);
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true });
  });
  const clock = new ManualClock();
  const engine = new Engine({ socketPath, clock, timeoutMs: 60_000, reconnectMs: 0 });
  return { clock, engine, roots: new RootMounts(engine, clock), unlock, asked };
}

it('waits for an unmount that a locked storage holds up, and asks for it once', async () => {
  const { clock, roots, unlock, asked } = await openLocked();
  const root = await roots.acquire(id, never);

  const unmounting = root[Symbol.asyncDispose]();
  await clock.asleep(600_000);
  await clock.advance(599_999);
  unlock();

  await unmounting;
  expect(asked.filter((name) => name === 'POST unmount')).toHaveLength(1);
});

it('waits for a removal that a locked storage holds up', async () => {
  const { clock, engine, unlock, asked } = await openLocked();

  const removing = removeContainer(engine, id, clock);
  await clock.asleep(600_000);
  await clock.advance(599_999);
  unlock();

  await removing;
  expect(asked).toEqual([`DELETE ${id}`]);
});

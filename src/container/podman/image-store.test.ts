import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { never } from '../../core/never.ts';
import { Engine } from './api/client.ts';
import { PodmanImages } from './image-store.ts';

/** An engine that answers the first requests with a failure, each with this message, and then with these images. */
async function openImages(
  failures: number,
  message: string,
  listed: readonly unknown[] = [],
): Promise<PodmanImages> {
  const directory = await mkdtemp(join(tmpdir(), 'images-'));
  const socketPath = join(directory, 'podman.sock');
  let left = failures;
  const server = createServer((_request, response) => {
    left -= 1;
    response.writeHead(left < 0 ? 200 : 500, { 'Content-Type': 'application/json' });
    response.end(left < 0 ? JSON.stringify(listed) : JSON.stringify({ message }));
  });
  server.listen(socketPath);
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true });
  });
  const clock = new ManualClock();
  return new PodmanImages(new Engine({ socketPath, clock, timeoutMs: 1000, reconnectMs: 0 }), clock, 1000);
}

it('lists images again when one went while podman looked at it', async () => {
  const images = await openImages(3, 'retrieving size of image "9b6": image not known');

  expect(await images.list('some.label', never)).toEqual([]);
});

it('does not try again for ever, nor for another failure', async () => {
  const going = await openImages(9, 'retrieving size of image "9b6": image not known');
  await expect(going.list('some.label', never)).rejects.toThrow('image not known');

  const broken = await openImages(1, 'disk full');
  await expect(broken.list('some.label', never)).rejects.toThrow('disk full');
});

it('leaves images of stores that the engine only reads alone', async () => {
  const images = await openImages(0, '', [
    { Id: 'own', Created: 1 },
    { Id: 'shared', Created: 1, ReadOnly: true },
  ]);

  expect(await images.list('some.label', never)).toMatchObject([{ id: 'own' }]);
});

it('takes an image for removed that another process has removed at the same time', async () => {
  const id = '12'.repeat(32);
  const gone = `parsing named reference "${id}": invalid repository name (${id}), cannot specify 64-byte hexadecimal strings`;
  const images = await openImages(1, gone);
  expect(await images.remove(id)).toBe(true);

  const broken = await openImages(1, 'disk full');
  await expect(broken.remove(id)).rejects.toThrow('disk full');
});

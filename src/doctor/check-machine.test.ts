import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { waysToLayers } from './check-machine.ts';
import { judgeStorageReach } from './machine.ts';

it('waysToLayers goes from the root directory to the files of each layer, and to nothing else', async () => {
  const storage = await temporaryDirectory();
  for (const path of ['one/diff', 'two/diff', 'l']) await mkdir(join(storage, path), { recursive: true });
  await chmod(join(storage, 'two'), 0o700);

  const ways = await waysToLayers(storage);

  expect(ways.map((way) => way.at(-1)?.path).sort()).toEqual([
    join(storage, 'one/diff'),
    join(storage, 'two/diff'),
  ]);
  expect(ways[0]?.[0]?.path).toBe('/');
  const closed = ways.find((way) => way.at(-1)?.path === join(storage, 'two/diff')) ?? [];
  expect(judgeStorageReach(storage, [closed])).toMatchObject([{ level: 'ok' }]);
});

it('waysToLayers finds none where there is no storage', async () => {
  expect(await waysToLayers('/no/such/storage')).toEqual([]);
});

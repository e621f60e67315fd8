import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { lanesVariable, takeArea } from '../support/lane.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

async function openLanes(): Promise<void> {
  vi.stubEnv(lanesVariable, await temporaryDirectory());
}

async function write(...names: readonly string[]): Promise<void> {
  const path = join(...names);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, 'x');
}

/** Paths of the files below. */
async function filesIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(directory.length + 1))
    .toSorted();
}

it('gives the next file the same place with the caches of the last one, and with nothing else', async () => {
  await openLanes();
  const first = await takeArea();
  for (const name of ['packages/ab/p.rpm', 'snapshots/k.json', 'solutions/q', 'metadata/m/build.solv'])
    await write(first.stateDirectory, 'cache', name);
  for (const name of ['cache/failed/5.json', 'tasks/5/5/log', 'journal/5.jsonl', 'lock', 'cache/other'])
    await write(first.stateDirectory, name);
  for (const name of ['kojid.conf', 'log', 'work/beside']) await write(first.path, name);
  const kept = ['metadata/m/build.solv', 'packages/ab/p.rpm', 'snapshots/k.json', 'solutions/q'];

  await first[Symbol.asyncDispose]();

  await using second = await takeArea();
  expect(second.path).toBe(first.path);
  expect(await filesIn(second.path)).toEqual(kept.map((name) => `work/adjutant/cache/${name}`));
});

it('gives one that is new beside one in use, and to those who begin cold', async () => {
  await openLanes();
  await using first = await takeArea();
  await write(first.stateDirectory, 'cache/packages/p.rpm');

  await using second = await takeArea();
  await using cold = await takeArea({ cold: true });

  expect(new Set([first.path, second.path, cold.path]).size).toBe(3);
  expect(await filesIn(second.path)).toEqual([]);
  expect(await filesIn(cold.path)).toEqual([]);
  expect(await filesIn(first.path)).toEqual(['work/adjutant/cache/packages/p.rpm']);
});

it('kills what a file that has crashed has left there, and removes its files', async () => {
  await openLanes();
  const crashed = await takeArea();
  await write(crashed.path, 'kojid.conf');
  const daemon = spawn('sh', ['-c', 'read -r word', 'daemon', join(crashed.path, 'kojid.conf')]);
  const ended = once(daemon, 'exit');
  vi.resetModules();
  const { takeArea: takeAreaLater } = await import('../support/lane.ts');

  await using area = await takeAreaLater();

  expect(area.path).toBe(crashed.path);
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect(await filesIn(area.path)).toEqual([]);
});

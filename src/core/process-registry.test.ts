import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ProcessRegistry } from './process-registry.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'users-'));
  onTestFinished(() => rm(directory, { recursive: true }));
});

const put = (name: string, content: unknown) => writeFile(join(directory, name), JSON.stringify(content));

describe('ProcessRegistry', () => {
  it('note this process until it leaves, and do not count it among the others', async () => {
    const users = new ProcessRegistry(directory);

    const me = await users.enter('rebuild-host-1');

    expect(me).toMatchObject({ pid: process.pid, workerId: 'rebuild-host-1' });
    expect(await readdir(directory)).toEqual([`${process.pid}.json`]);
    expect(await users.others()).toEqual({ living: [], dead: [] });
    await users.leave(me);
    expect(await readdir(directory)).toEqual([]);
  });

  it('tell a process that runs from one that is gone, and from a later one with its number', async () => {
    const users = new ProcessRegistry(directory);
    const { started } = await users.enter('me');
    const reused = { pid: process.ppid, started, workerId: 'w' };
    const gone = { pid: 2 ** 22 + 1, started: '5', workerId: 'gone' };
    await put(`${gone.pid}.json`, gone);
    await put(`${reused.pid}.json`, reused);

    const { dead } = await users.others();

    expect(dead).toEqual(expect.arrayContaining([gone, reused]));
  });

  it('see who came in another place of this process as living', async () => {
    const users = new ProcessRegistry(directory);
    const me = await users.enter('me');
    await put('other.json', me);

    expect(await users.others()).toEqual({ living: [me], dead: [] });
  });

  it('pass over what is no user', async () => {
    await put('1.json', { pid: 'x' });
    await put('2.json.new', {});

    expect(await new ProcessRegistry(directory).others()).toEqual({ living: [], dead: [] });
  });
});

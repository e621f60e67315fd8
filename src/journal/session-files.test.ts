import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { SessionFiles } from './session-files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sessions-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
});

const main = { id: 7, key: 'secret', callnum: 1000, master: null, exclusive: true, headerAuth: true };
const child = { ...main, id: 8, master: 7, exclusive: false };

describe('SessionFiles', () => {
  it('gives the next process what was saved last, the main session first', async () => {
    const files = new SessionFiles(directory, 'hub');
    await files.save(child);
    await files.save(main);
    await files.save({ ...main, callnum: 2000 });

    const next = new SessionFiles(directory, 'hub');

    expect((await next.list()).map(({ id, callnum }) => [id, callnum])).toEqual([
      [7, 2000],
      [8, 1000],
    ]);
    expect(await next.find(8)).toMatchObject(child);
  });

  it('is for the eyes of its owner', async () => {
    const place = join(directory, 'new');
    await new SessionFiles(place, 'hub').save(main);

    expect((await stat(place)).mode & 0o777).toBe(0o700);
    expect((await stat(join(place, '7.json'))).mode & 0o777).toBe(0o600);
  });

  it('does not give the session of another hub or login', async () => {
    await new SessionFiles(directory, 'hub').save(main);

    const other = new SessionFiles(directory, 'another hub');

    expect(await other.list()).toEqual([]);
    expect(await other.find(7)).toBeNull();
  });

  it('forgets what is closed, and what cannot be read', async () => {
    const files = new SessionFiles(directory, 'hub');
    await files.save(main);
    await files.remove(7);
    await writeFile(join(directory, '9.json'), '{"id":');

    expect(await files.list()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });
});

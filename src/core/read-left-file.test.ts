import { spawnSync } from 'node:child_process';
import { link, mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { NotALeftFile, readLeftFile } from './read-left-file.ts';

describe('readLeftFile', () => {
  it.each([0, 10])('reads a file of %i bytes', async (size) => {
    const path = join(await temporaryDirectory(), 'left');
    await writeFile(path, 'x'.repeat(size));

    expect(String(await readLeftFile(path, 10))).toBe('x'.repeat(size));
  });

  it.each<[string, (path: string, secret: string) => unknown]>([
    ['a link', (path, secret) => symlink(secret, path)],
    ['another name of a file', (path, secret) => link(secret, path)],
    ['a link to nothing', (path) => symlink('nowhere', path)],
    ['a pipe', (path) => spawnSync('mkfifo', [path])],
    ['a directory', (path) => mkdir(path)],
    ['a socket', (path) => new Promise<void>((resolve) => createServer().unref().listen(path, resolve))],
    [
      'a hole',
      async (path) => {
        await writeFile(path, '');
        await truncate(path, 2 ** 40);
      },
    ],
  ])('does not read %s, nor tells what is in it', async (_what, leave) => {
    const place = await temporaryDirectory();
    await writeFile(join(place, 'secret'), 'SECRET');
    const path = join(place, 'left');
    await leave(path, join(place, 'secret'));

    const reading = readLeftFile(path, 1000);

    await expect(reading).rejects.toThrow(NotALeftFile);
    await expect(reading).rejects.not.toThrow(/SECRET/);
  });

  it('does not read an endless device', async () => {
    await expect(readLeftFile('/dev/zero', 1000)).rejects.toThrow(NotALeftFile);
  });

  it('does not read more than a file says that it has', async () => {
    // The kernel says 0 of it.
    await expect(readLeftFile('/proc/self/status', 100_000)).rejects.toThrow(/grows while it is read/);
  });

  it('says with the code of the system that there is none', async () => {
    await expect(readLeftFile(join(await temporaryDirectory(), 'left'), 1)).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});

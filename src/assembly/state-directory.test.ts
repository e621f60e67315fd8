import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillDiskAfter } from '../../test/support/full-disk.ts';
import { checkDisk, openStateDirectory } from './state-directory.ts';

describe('checkDisk', () => {
  let area: string;

  beforeEach(async () => {
    area = await mkdtemp(join(tmpdir(), 'worker-area-'));
  });
  afterEach(() => rm(area, { recursive: true }));

  it('leaves nothing where there is room', async () => {
    await checkDisk(area);

    expect(await readdir(area)).toEqual([]);
  });

  it('says that there is no room', async () => {
    await fillDiskAfter(0);

    await expect(checkDisk(area)).rejects.toMatchObject({
      code: 'disk-full',
      message: `no space left on device for ${area}: make room there`,
    });
  });

  it('says what to do about a place that cannot be written to', async () => {
    await writeFile(join(area, 'file'), '');

    await expect(checkDisk(join(area, 'file'))).rejects.toMatchObject({
      code: 'workdir-unusable',
      message: expect.stringContaining('correct option "workdir" or "state_dir"'),
    });
  });
});

describe('openStateDirectory', () => {
  let top: string;
  beforeEach(async () => {
    top = await mkdtemp(join(tmpdir(), 'worker-area-'));
  });
  afterEach(() => rm(top, { recursive: true }));
  const modeOf = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8);

  it('makes it for this user alone, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      await openStateDirectory(join(top, 'x/state'), ['tasks']);
    } finally {
      process.umask(before);
    }

    expect(await modeOf(join(top, 'x/state'))).toBe('700');
    expect(await modeOf(join(top, 'x/state/tasks'))).toBe('700');
  });

  it('closes one that an earlier version has made', async () => {
    await mkdir(join(top, 'state/tasks'), { recursive: true });
    for (const place of ['state', 'state/tasks']) await chmod(join(top, place), 0o755);

    await openStateDirectory(join(top, 'state'), ['tasks']);

    expect(await modeOf(join(top, 'state'))).toBe('700');
    expect(await modeOf(join(top, 'state/tasks'))).toBe('700');
  });

  it('does not take a directory for all users, such as /tmp, away from them', async () => {
    await mkdir(join(top, 'shared'));
    await chmod(join(top, 'shared'), 0o1777);

    await expect(openStateDirectory(join(top, 'shared'), ['tasks'])).rejects.toMatchObject({
      code: 'workdir-unusable',
      message: expect.stringContaining(`every user may write to ${join(top, 'shared')}`),
    });
    expect(await modeOf(join(top, 'shared'))).toBe('1777');
  });

  it('does not use one that another user could replace', async () => {
    await mkdir(join(top, 'open/state'), { recursive: true });
    await chmod(join(top, 'open'), 0o777);

    await expect(openStateDirectory(join(top, 'open/state'), [])).rejects.toMatchObject({
      code: 'workdir-unusable',
      message: expect.stringContaining(`every user may replace what is in ${join(top, 'open')}`),
    });
    expect(await modeOf(join(top, 'open/state'))).toBe('755');
  });
});

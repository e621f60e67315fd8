import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillDiskAfter } from '../../test/support/full-disk.ts';
import { checkDisk } from './state-directory.ts';

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

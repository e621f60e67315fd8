import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { noteUse, readRecord, writeRecord } from './json-record.ts';

const Record = z.object({ name: z.string() });

describe('a record', () => {
  it('is read as it was written, in a directory that was not there', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'deep/er/a.json');

    await writeRecord(path, { name: 'a' });
    await writeRecord(path, { name: 'b' });

    expect(await readRecord(path, Record)).toEqual({ name: 'b' });
    expect(await readdir(join(directory, 'deep/er'))).toEqual(['a.json']);
  });

  it('is not there', async () => {
    expect(await readRecord(join(await temporaryDirectory(), 'a.json'), Record)).toBeNull();
  });

  it.each(['', '{"name": "a', '{"name": 1}', 'null'])(
    'is removed when it is damaged: %j',
    async (content) => {
      const directory = await temporaryDirectory();
      await writeFile(join(directory, 'a.json'), content);

      expect(await readRecord(join(directory, 'a.json'), Record)).toBeNull();
      expect(await readdir(directory)).toEqual([]);
    },
  );

  it('that cannot be read is an error, and stays', async () => {
    const directory = await temporaryDirectory();

    await expect(readRecord(directory, Record)).rejects.toMatchObject({ code: 'EISDIR' });
  });

  it('that cannot be written leaves nothing behind', async () => {
    const directory = await temporaryDirectory();
    await writeRecord(join(directory, 'a.json/b.json'), {});

    await expect(writeRecord(join(directory, 'a.json'), {})).rejects.toMatchObject({ code: 'EISDIR' });
    expect(await readdir(directory)).toEqual(['a.json']);
  });

  it('has the time of its last use', async () => {
    const path = join(await temporaryDirectory(), 'a.json');
    await writeRecord(path, {});
    await utimes(path, 1, 1);

    await noteUse(path);

    expect((await stat(path)).mtimeMs).toBeGreaterThan(1_000_000_000_000);
    await expect(noteUse(`${path}.gone`)).resolves.toBeUndefined();
  });
});

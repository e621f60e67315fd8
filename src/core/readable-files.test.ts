import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { copyReadable, makeReadable, writeReadable } from './readable-files.ts';

/** A directory under the umask of a hardened host, which holds until the test ends. */
async function hardened() {
  const directory = await mkdtemp(join(tmpdir(), 'readable-'));
  const former = process.umask(0o077);
  onTestFinished(async () => {
    process.umask(former);
    await rm(directory, { recursive: true });
  });
  const modeOf = async (name: string) => ((await stat(join(directory, name))).mode & 0o7777).toString(8);
  return { directory, modeOf };
}

it('writes for others whatever the umask is', async () => {
  const { directory, modeOf } = await hardened();

  await writeReadable(join(directory, 'script'), 'true\n');

  expect(await readFile(join(directory, 'script'), 'utf8')).toBe('true\n');
  expect(await modeOf('script')).toBe('644');
});

it.each([0o600, 0o400, 0o755])('copies the content of a file and not its mode %o', async (mode) => {
  const { directory, modeOf } = await hardened();
  await writeFile(join(directory, 'private.src.rpm'), 'package', { mode });

  await copyReadable(join(directory, 'private.src.rpm'), join(directory, 'source.src.rpm'));

  expect(await readFile(join(directory, 'source.src.rpm'), 'utf8')).toBe('package');
  expect(await modeOf('source.src.rpm')).toBe('644');
});

it('makes directories for others, also one that was private', async () => {
  const { directory, modeOf } = await hardened();

  await makeReadable(join(directory, 'task/in'));
  expect([await modeOf('task'), await modeOf('task/in')]).toEqual(['700', '755']);

  await makeReadable(join(directory, 'task'));
  expect(await modeOf('task')).toBe('755');
});

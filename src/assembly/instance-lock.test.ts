import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { InstanceLock } from './instance-lock.ts';

async function makeArea(): Promise<string> {
  const area = await mkdtemp(join(tmpdir(), 'instance-lock-'));
  onTestFinished(() => rm(area, { recursive: true }));
  return area;
}

it('lets one process at a time work in an area, and the next one as soon as it is gone', async () => {
  const [area, elsewhere] = await Promise.all([makeArea(), makeArea()]);
  {
    await using _lock = await InstanceLock.take(area);
    await expect(InstanceLock.take(area)).rejects.toMatchObject({ code: 'area-in-use' });
    await using _other = await InstanceLock.take(elsewhere);
  }

  await using _again = await InstanceLock.take(area);
});

it('tells whether somebody works in an area', async () => {
  const area = await makeArea();

  expect(await InstanceLock.isTaken(area)).toBe(false);
  {
    await using _lock = await InstanceLock.take(area);
    expect(await InstanceLock.isTaken(area)).toBe(true);
    expect(((await stat(join(area, 'lock'))).mode & 0o777).toString(8)).toBe('600');
  }
  expect(await InstanceLock.isTaken(area)).toBe(false);
});

it('cannot be taken by somebody who only knows the name of the area', async () => {
  const area = await makeArea();
  // What a build with the network of the host, or any user, could bind.
  const digest = createHash('sha256').update(area).digest('hex').slice(0, 32);
  const squatter = createServer().listen(`\0koji-adjutant/${digest}`);
  await once(squatter, 'listening');
  onTestFinished(() => {
    squatter.close();
  });

  expect(await InstanceLock.isTaken(area)).toBe(false);
  await using _lock = await InstanceLock.take(area);
});

it('follows no link', async () => {
  const area = await makeArea();
  await symlink('/dev/null', join(area, 'lock'));

  await expect(InstanceLock.take(area)).rejects.toMatchObject({
    code: 'workdir-unusable',
    message: expect.stringContaining('cannot open'),
  });
});

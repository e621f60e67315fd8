import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { InstanceLock } from './instance-lock.ts';

it('lets one process at a time work in an area, and the next one as soon as it is gone', async () => {
  const area = `/area/${randomUUID()}`;
  {
    await using _lock = await InstanceLock.take(area);
    await expect(InstanceLock.take(area)).rejects.toMatchObject({ code: 'area-in-use' });
    await using _other = await InstanceLock.take(`${area}/other`);
  }

  await using _again = await InstanceLock.take(area);
});

it('tells whether somebody works in an area', async () => {
  const area = `/area/${randomUUID()}`;

  expect(await InstanceLock.isTaken(area)).toBe(false);
  await using _lock = await InstanceLock.take(area);

  expect(await InstanceLock.isTaken(area)).toBe(true);
});

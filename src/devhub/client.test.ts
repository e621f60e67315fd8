import { expect, it } from 'vitest';
import { FakeHub, value } from '../../test/support/fake-hub.ts';
import { HubClient } from './client.ts';

it('gives the children of a task in the order in which they were made', async () => {
  await using hub = await FakeHub.start();
  const task = (id: number) => ({
    id,
    method: 'sleep',
    arch: 'noarch',
    label: null,
    state: 2,
    parent: 1,
  });
  hub.on('getTaskInfo', value(task(1)));
  hub.on('getTaskChildren', value([task(5), task(3), task(10)]), value([]));

  const tree = await new HubClient(hub.url).taskTree(1);

  expect(tree.children.map(({ id }) => id)).toEqual([3, 5, 10]);
});

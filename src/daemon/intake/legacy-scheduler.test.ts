import { describe, expect, it } from 'vitest';
import type { LoadData } from '../../hub/api/load-data.ts';
import { LegacyScheduler } from './legacy-scheduler.ts';

const us = 1;
const delayMs = 300_000;

type Host = LoadData['hosts'][number];
type Task = LoadData['tasks'][number];

const host = (id: number, available: number, more: Partial<Host> = {}): Host => ({
  id,
  available,
  arches: ['x86_64'],
  channels: [1],
  ...more,
});
const task = (id: number, more: Partial<Task> = {}): Task => ({
  id,
  method: 'build',
  arch: 'noarch',
  channelId: 1,
  assignedTo: null,
  ...more,
});

/** The ids this host would try, at several times after it has first looked. */
function offered(hosts: readonly Host[], tasks: readonly Task[], atMs: readonly number[] = [0]) {
  const choice = new LegacyScheduler(delayMs);
  return atMs.map((ms) =>
    choice.offers({ hosts: [...hosts], tasks: [...tasks] }, us, ms).map(({ id }) => id),
  );
}

describe('LegacyScheduler', () => {
  it('takes all that suits a host that is alone, in the order of the hub', () => {
    const tasks = [task(5), task(3, { arch: 'x86_64' }), task(4)];

    expect(offered([host(us, 2)], tasks)).toEqual([[5, 3, 4]]);
  });

  it.each([
    ['of another arch', { arch: 's390x' }],
    ['of another channel', { channelId: 2 }],
    ['of no channel', { channelId: null }],
    ['that an administrator has given to another host', { assignedTo: 2 }],
  ])('leaves a task %s', (_, more) => {
    expect(offered([host(us, 2)], [task(5, more)])).toEqual([[]]);
  });

  it('takes what it was given, whatever the task is', () => {
    const given = task(5, { arch: 's390x', channelId: 9, assignedTo: us });

    expect(offered([host(us, -1), host(2, 9)], [given])).toEqual([[5]]);
  });

  it('takes nothing while the hub does not count it as ready', () => {
    expect(offered([], [])).toEqual([[]]);
    expect(offered([host(2, 1)], [task(5), task(6, { assignedTo: us })])).toEqual([[]]);
  });

  it.each([
    ['the most room', [1, 2], 3, 0],
    ['as much room as the best', [3, 1], 3, 0],
    ['the middle', [1, 4], 3, delayMs / 2],
    ['the least room', [4, 5], 3, delayMs],
    ['the second of four', [1, 2, 9], 3, delayMs / 3],
  ])('with %s waits its share of the delay', (_, others, own, waitMs) => {
    const hosts = [host(us, own), ...others.map((available, index) => host(index + 2, available))];
    const moments = [0, Math.max(0, waitMs - 1), waitMs];

    expect(offered(hosts, [task(5)], moments)).toEqual(moments.map((ms) => (ms < waitMs ? [] : [5])));
  });

  it('ranks itself only among hosts that could take the task', () => {
    const hosts = [host(us, 1), host(2, 9, { channels: [2] }), host(3, 9, { arches: ['s390x'] })];

    expect(offered(hosts, [task(5, { arch: 'x86_64' })])).toEqual([[5]]);
    expect(offered(hosts, [task(5)])).toEqual([[]]);
  });

  it('counts from the first look again when it has tried the task in vain, or much later', () => {
    const hosts = [host(us, 1), host(2, 2)];

    expect(offered(hosts, [task(5)], [0, delayMs, delayMs + 1, 2 * delayMs + 1])).toEqual([[], [5], [], [5]]);
    expect(offered(hosts, [task(5)], [0, 10 * delayMs + 1])).toEqual([[], []]);
  });
});

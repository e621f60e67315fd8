import { describe, expect, it } from 'vitest';
import { MemoryHub, ourHost } from '../../../test/support/memory-hub.ts';
import { silentLog } from '../../../test/support/silent-log.ts';
import { never } from '../../core/never.ts';
import { BuildrootsApi } from '../../hub/api/buildroots.ts';
import { HubFault } from '../../hub/faults.ts';
import { expireDeadBuildroots } from './housekeeping.ts';

const signal = never;

function expire(hub: MemoryHub, running: readonly number[]): Promise<readonly number[]> {
  const api = new BuildrootsApi(hub.session());
  return expireDeadBuildroots(api, ourHost, (taskId) => running.includes(taskId), silentLog, signal);
}

describe('expireDeadBuildroots', () => {
  it('expires those without a task and those whose task does not run here', async () => {
    const hub = new MemoryHub();
    hub.buildroots.set(1, { state: 'building', task: 11 });
    hub.buildroots.set(2, { state: 'building', task: 12 });
    hub.buildroots.set(3, { state: 'init', task: null });

    expect(await expire(hub, [12])).toEqual([1, 3]);

    expect([...hub.buildroots.values()].map(({ state }) => state)).toEqual([
      'expired',
      'building',
      'expired',
    ]);
  });

  it('asks for our buildroots that are not expired', async () => {
    const hub = new MemoryHub();

    expect(await expire(hub, [])).toEqual([]);

    expect(hub.calls).toMatchObject([
      { method: 'listBuildroots', keywords: { hostID: ourHost, state: [0, 1, 2] } },
    ]);
  });

  it('passes on what the hub objects to', async () => {
    const hub = new MemoryHub().once('listBuildroots', new HubFault(1000, 'database is down'));

    await expect(expire(hub, [])).rejects.toThrow('database is down');
  });
});

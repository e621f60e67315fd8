import { describe, expect, it } from 'vitest';
import { taskRow } from '../../../test/support/hub-rows.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import { restartHosts, restartTask, restartVerifyTask } from './restart.ts';

const host = { id: 1, name: 'builder' };

/** A daemon of which is known whether it was restarted since a task asked. */
function openControl(restarted: boolean | null) {
  const asked: number[] = [];
  const control = {
    stopAfter: () => undefined,
    restartAfter: async (taskId: number) => void asked.push(taskId),
    hasRestartedSince: async () => restarted,
  };
  return { asked, control };
}

describe('restart', () => {
  it('asks the daemon to start anew once the task is closed', async () => {
    const { asked, control } = openControl(null);
    const { run, session } = await openTaskBench({ method: 'restart' });
    session.on('host.getID', 1);

    expect(await run(restartTask(control), host)).toBe('graceful restart initiated');

    expect(asked).toEqual([5]);
  });

  it('is not for another host', async () => {
    const { asked, control } = openControl(null);
    const { run, session } = await openTaskBench({ method: 'restart' });
    session.on('host.getID', 2);

    await expect(run(restartTask(control), host)).rejects.toMatchObject({
      faultCode: 1000,
      message: 'Host mismatch',
    });
    expect(asked).toEqual([]);
  });
});

describe('restartVerify', () => {
  const verify = async (restarted: boolean | null, state: number) => {
    const { run, session } = await openTaskBench({ method: 'restartVerify' });
    session.on('host.getID', 1).on('getTaskInfo', taskRow({ id: 4, state }));
    return run(restartVerifyTask(openControl(restarted).control), 4, host);
  };

  it('is fine when the daemon was started anew', async () => {
    expect(await verify(true, 2)).toBeNull();
  });

  it.each([false, null])('fails when it was not, or nothing is known of that (%s)', async (restarted) => {
    await expect(verify(restarted, 2)).rejects.toThrow(/^Restart failed/);
  });

  it('fails when the first task has', async () => {
    await expect(verify(true, 5)).rejects.toThrow('Stage one restart task is FAILED');
  });
});

describe('restartHosts', () => {
  const setUp = async (clock = new ManualClock()) => {
    const bench = await openTaskBench({ method: 'restartHosts', clock });
    bench.session.on('listHosts', [host, { id: 2, name: 'other' }]).on('cancelTaskChildren', null);
    bench.children({});
    return { ...bench, clock };
  };

  it('gives each host a task to restart and one to see that it did, and waits for all', async () => {
    const { run, session } = await setUp();

    expect(await run(restartHosts, { channel: 'createrepo', arches: ['x86_64'] })).toBeNull();

    expect(session.of('listHosts')[0]?.keywords).toEqual({
      enabled: true,
      channelID: 'createrepo',
      arches: ['x86_64'],
    });
    const made = session.of('host.subtask').map(({ keywords }) => keywords);
    expect(made.map(({ method, label, assign }) => [method, label, assign])).toEqual([
      ['restart', 'restart 1', 1],
      ['restartVerify', 'sleep 1', 1],
      ['restart', 'restart 2', 2],
      ['restartVerify', 'sleep 2', 2],
    ]);
    expect(made[1]?.['arglist']).toEqual([101, host]);
  });

  it('fails when there are no hosts', async () => {
    const { run, session } = await setUp();
    session.on('listHosts', []);

    await expect(run(restartHosts)).rejects.toThrow('No matching hosts');
  });

  it('gives up after the timeout and cancels what has not ended', async () => {
    const { run, session, clock } = await setUp();
    session.on('host.taskWait', () => new Promise(() => undefined));

    const failed = expect(run(restartHosts, { timeout: 60 })).rejects.toThrow(
      'Subtasks timed out after 60.0 seconds',
    );
    await clock.asleep(60_000);
    await clock.advance(60_000);
    await failed;

    expect(session.of('cancelTaskChildren')).toHaveLength(1);
  });
});

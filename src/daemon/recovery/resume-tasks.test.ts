import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asleepMs, setUpDaemon, sleepTask } from '../../../test/support/daemon-under-test.ts';

/** A first life of a daemon, killed while a task sleeps; the second has the same hub, engine and area. */
async function killedWhileAsleep() {
  const first = await setUpDaemon({ shutdown: 'handover' });
  const id = sleepTask(first.hub);
  const code = first.run();
  await first.clock.asleep(asleepMs);
  first.daemon.stop();
  expect(await code).toBe(0);
  return { first, id };
}

/** What is left to the next start, or to whoever gives it back. */
const left = ({ environment }: { readonly environment: { readonly workDir: string } }) =>
  readdir(join(environment.workDir, 'journal/tasks')).catch(() => []);

describe('a daemon that hands over', () => {
  it('says that it is not ready, frees nothing, and keeps its session', async () => {
    const { first, id } = await killedWhileAsleep();

    expect(first.hub.task(id).state).toBe('open');
    expect(first.hub.told).toMatchObject({ ready: false });
    expect(await left(first)).toEqual([`${id}.jsonl`]);
    expect(first.hub.methods()).not.toContain('host.freeTasks');
    expect(first.hub.methods()).not.toContain('logout');
  });

  it('logs out when it has no tasks', async () => {
    const { daemon, run, hub, clock, environment } = await setUpDaemon({ shutdown: 'handover' });
    const code = run();
    await clock.asleep();
    daemon.stop();

    expect(await code).toBe(0);
    expect(hub.methods(1).at(-1)).toBe('logout');
    expect(await left({ environment })).toEqual([]);
  });
});

describe('the next start', () => {
  it('continues with what is open here since the same time', async () => {
    const { first, id } = await killedWhileAsleep();
    const second = await setUpDaemon({ after: first });
    const ended = new Promise((resolve) => second.events.once('task:ended', resolve));
    void second.run();

    await second.clock.asleep(asleepMs);
    await second.clock.advance(asleepMs);
    await ended;

    expect(second.happened).toContain(`${id} closed`);
    expect(first.hub.methods().filter((method) => method === 'host.openTask')).toHaveLength(1);
    expect(first.hub.methods()).not.toContain('host.freeTasks');
  });

  it.each([
    ['was cancelled', (task: { state: string }) => Object.assign(task, { state: 'canceled' })],
    ['was given to another host', (task: { host: number | null }) => Object.assign(task, { host: 8 })],
  ])('does not go on with a task that %s meanwhile', async (_what, change) => {
    const { first, id } = await killedWhileAsleep();
    change(first.hub.task(id));
    const second = await setUpDaemon({ after: first });
    void second.run();
    await second.clock.asleep();

    expect(second.happened).not.toContain(`${id} closed`);
    expect(await second.journal.reopen()).toEqual([]);
  });

  it('opens the child that a task has made and that was not open yet', async () => {
    const first = await setUpDaemon({ shutdown: 'handover' });
    const parent = first.hub.addTask('subtask', [0]);
    first.hub.once('listTasks', 'hang');
    const code = first.run();
    await first.hub.called('listTasks');
    first.daemon.stop();
    expect(await code).toBe(0);
    const child = [...first.hub.tasks.values()].find((task) => task.parent === parent);
    expect(child?.state).toBe('free');

    const second = await setUpDaemon({ after: first });
    const started = new Promise<void>((resolve) => {
      second.events.on('task:started', ({ taskId }) => {
        if (taskId === child?.id) resolve();
      });
    });
    void second.run();
    await started;

    expect(child).toMatchObject({ state: 'open', host: 7 });
    expect(first.hub.paramsOf('host.subtask')).toHaveLength(1);
  });

  it('gives nothing back when it is stopped before it has gone on', async () => {
    const { first, id } = await killedWhileAsleep();
    const second = await setUpDaemon({ after: first, shutdown: 'handover' });
    second.daemon.stop();

    expect(await second.run()).toBe(0);

    expect(first.hub.task(id).state).toBe('open');
    expect(await second.journal.reopen()).toHaveLength(1);
  });

  it('gives all back when it is told to', async () => {
    const { first, id } = await killedWhileAsleep();
    const second = await setUpDaemon({ after: first, resume: false, skipMain: true });

    expect(await second.run()).toBe(0);

    expect(first.hub.task(id).state).toBe('free');
    expect(await second.journal.reopen()).toEqual([]);
  });
});

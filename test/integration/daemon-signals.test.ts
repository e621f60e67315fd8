import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { HubClient } from '../../src/devhub/client.ts';
import { ensureHost, ensureUser } from '../../src/devhub/hub.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { type RunningDevHub, runDevHub } from '../../src/devhub/run.ts';
import { FakeHub, fault, value } from '../support/fake-hub.ts';
import { SpawnedDaemon } from '../support/spawned-daemon.ts';

const sleepSeconds = 3600;

/** A development hub with our host and somebody who asks for tasks. */
async function startHub() {
  const dir = await mkdtemp(join(tmpdir(), 'adjutant-hub-'));
  const hub = await runDevHub({ dir, port: 0, clock: systemClock });
  onTestFinished(async () => {
    await hub.close();
    await rm(dir, { recursive: true, force: true });
  });
  await hub.change((data) => {
    ensureUser(data, 'admin', 'admin', ['admin']);
    ensureHost(data, {
      name: 'builder',
      password: 'secret',
      arches: 'x86_64 noarch',
      capacity: 4,
      channels: ['default'],
    });
  });
  const client = new HubClient(hub.url);
  await client.login('admin', 'admin');
  return { hub, client };
}

function stateOf(hub: RunningDevHub) {
  return hub.change(({ state }) => ({
    tasks: state.tables.tasks.all().map((task) => task.state),
    ready: state.tables.hosts.all().map((host) => host.ready),
  }));
}

/** Whether the builder could log in now: nobody holds its lock. */
async function lockIsFree(hub: RunningDevHub): Promise<boolean> {
  const builder = new HubClient(hub.url);
  await builder.login('builder', 'secret');
  return builder.call('exclusiveSession', [], { force: false }).then(
    () => true,
    () => false,
  );
}

/** The answers a daemon needs that finds no work. */
async function startIdleHub(): Promise<FakeHub> {
  const hub = await FakeHub.start();
  onTestFinished(() => hub[Symbol.asyncDispose]());
  const host = {
    id: 1,
    name: 'builder',
    user_id: 1,
    arches: 'x86_64',
    capacity: 4,
    task_load: 0,
    enabled: true,
    ready: true,
  };
  return hub
    .on('exclusiveSession', value(null))
    .on('host.getHost', value(host))
    .on('listBuildroots', value([]))
    .on('host.getHostTasks', value([]))
    .on('host.getTasks', value([]))
    .on('host.updateHost', value(null))
    .on('logout', value(null));
}

describe('a daemon that runs a task', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'frees it at %s where shutdown says so, is not ready, logs out, and ends with 0',
    async (signal) => {
      const { hub, client } = await startHub();
      const daemon = await SpawnedDaemon.start(hub.url, ['sleeptime = 15', 'adjutant_shutdown = free']);
      await daemon.line('ready');
      await client.call('makeTask', ['sleep', [sleepSeconds]]);
      await daemon.line('task started');

      daemon.kill(signal);

      expect(await daemon.exit()).toBe(0);
      expect(await stateOf(hub)).toEqual({ tasks: [taskState.FREE], ready: [false] });
      expect(await lockIsFree(hub)).toBe(true);
      expect(await readdir(join(daemon.workDir, 'tasks', '1'))).toEqual([]);
    },
  );

  it('finishes it after SIGUSR1, takes no other, and ends with 75', async () => {
    const { hub, client } = await startHub();
    const daemon = await SpawnedDaemon.start(hub.url, ['sleeptime = 15']);
    await client.call('makeTask', ['sleep', [2]]);
    await daemon.line('task started');

    daemon.kill('SIGUSR1');
    await daemon.line('not ready for tasks');
    await client.call('makeTask', ['sleep', [sleepSeconds]]);

    expect(await daemon.exit()).toBe(75);
    expect(await stateOf(hub)).toEqual({ tasks: [taskState.CLOSED, taskState.FREE], ready: [false] });
    expect(await lockIsFree(hub)).toBe(true);
  });

  it('says at SIGUSR2 what each waits for, and continues', async () => {
    const { hub, client } = await startHub();
    const daemon = await SpawnedDaemon.start(hub.url, ['sleeptime = 1']);
    // Asked too early, a task is still on its way to where it waits.
    const told = () => {
      daemon.kill('SIGUSR2');
      return daemon.lines.map(({ msg }) => msg);
    };
    await daemon.line('ready');
    await client.call('makeTask', ['sleep', [sleepSeconds]]);
    await daemon.line('task started');

    await expect
      .poll(told, { timeout: 20_000 })
      .toContainEqual(
        expect.stringMatching(/^task 1 sleep, here for \S+ s: waits for 3600 s to pass since \S+ s$/),
      );
    await client.call('makeTask', ['waittest', [1, sleepSeconds]]);
    await expect
      .poll(told, { timeout: 20_000 })
      .toContainEqual(expect.stringMatching(/^task 2 waittest, .* waits .*for child task/));
  });

  it('notices within one poll that it was cancelled, and continues', async () => {
    const { hub, client } = await startHub();
    const daemon = await SpawnedDaemon.start(hub.url, ['sleeptime = 1']);
    await client.call('makeTask', ['sleep', [sleepSeconds]]);
    await daemon.line('task started');

    const cancelledMs = Date.now();
    await client.call('cancelTask', [1]);
    const ended = await daemon.line('task ended');

    // One pause of a second, and some time for the round itself.
    expect(Date.now() - cancelledMs).toBeLessThan(3000);
    expect(ended).toMatchObject({ taskId: 1, end: 'stopped' });
    expect(await daemon.line('task stopped')).toMatchObject({ reason: 'canceled' });
    await client.call('makeTask', ['sleep', [0]]);
    while ((await stateOf(hub)).tasks[1] !== taskState.CLOSED) await systemClock.sleep(50);
    expect((await stateOf(hub)).tasks).toEqual([taskState.CANCELED, taskState.CLOSED]);
  });

  it('runs the children of its tasks without waiting for the next poll', async () => {
    const { hub, client } = await startHub();
    const daemon = await SpawnedDaemon.start(hub.url, ['sleeptime = 60']);
    await daemon.line('ready');

    await client.call('makeTask', ['waittest', [2, 1]]);
    while ((await stateOf(hub)).tasks[0] !== taskState.CLOSED) await systemClock.sleep(50);

    expect((await stateOf(hub)).tasks).toEqual([
      taskState.CLOSED,
      taskState.CLOSED,
      taskState.CLOSED,
      taskState.FAILED,
    ]);
  });

  it('ends with the shutdown task', async () => {
    const { hub, client } = await startHub();
    const daemon = await SpawnedDaemon.start(hub.url, ['sleeptime = 1']);
    await client.call('makeTask', ['shutdown', []]);

    expect(await daemon.exit()).toBe(0);
    expect(await stateOf(hub)).toEqual({ tasks: [taskState.CLOSED], ready: [false] });
  });
});

describe('a daemon with flags for a close look', () => {
  it('takes one task, and logs the calls and the task without any secret', async () => {
    const { hub, client } = await startHub();
    await client.call('makeTask', ['sleep', [0]]);
    await client.call('makeTask', ['sleep', [0]]);

    const flags = ['--single', '--debug-xmlrpc', '--debug-task', '--debug-mock'];
    const daemon = await SpawnedDaemon.start(hub.url, [], flags);

    expect(await daemon.exit()).toBe(0);
    expect((await stateOf(hub)).tasks.filter((state) => state === taskState.CLOSED)).toHaveLength(1);
    expect(await daemon.line('--debug-mock')).toMatchObject({ level: 40 });
    expect(await daemon.line('task parameters')).toMatchObject({ method: 'sleep', params: '[0]' });
    const shown = daemon.lines.filter(({ msg }) => msg === 'call to the hub').map(({ method }) => method);
    expect(shown).toEqual(expect.arrayContaining(['login', 'host.openTask', 'host.closeTask', 'logout']));
    expect(await daemon.line('answer')).toMatchObject({ answer: expect.stringContaining('[secret]') });
    // The password of every daemon under test, and what session keys of the development hub look like.
    expect(JSON.stringify(daemon.lines).replaceAll('[secret]', '')).not.toMatch(
      /secret|session-key\\":\\"\w/,
    );
  });
});

describe('a daemon that cannot say its last words', () => {
  it('ends at once with 1 at a second SIGTERM', async () => {
    const hub = (await startIdleHub()).on('logout', 'hang');
    const daemon = await SpawnedDaemon.start(hub.url);
    await daemon.line('ready');
    daemon.kill('SIGTERM');
    while (!hub.seen.some(({ method }) => method === 'logout')) await systemClock.sleep(20);

    daemon.kill('SIGTERM');

    expect(await daemon.exit()).toBe(1);
  });
});

describe('a daemon that starts', () => {
  it('logs out and ends with 0 when it is stopped', async () => {
    const hub = (await startIdleHub()).on('exclusiveSession', 'hang');
    const daemon = await SpawnedDaemon.start(hub.url);
    while (!hub.seen.some(({ method }) => method === 'exclusiveSession')) await systemClock.sleep(20);

    daemon.kill('SIGTERM');

    expect(await daemon.exit()).toBe(0);
    expect(hub.seen.at(-1)?.method).toBe('logout');
  });

  it('remembers that it was told to drain', async () => {
    const hub = await startIdleHub();
    const release = Promise.withResolvers<void>();
    hub.on('exclusiveSession', async () => {
      await release.promise;
      return value(null);
    });
    const daemon = await SpawnedDaemon.start(hub.url);
    while (!hub.seen.some(({ method }) => method === 'exclusiveSession')) await systemClock.sleep(20);

    daemon.kill('SIGUSR1');
    // Signals are taken between two events: one comes after the other.
    await systemClock.sleep(200);
    release.resolve();

    expect(await daemon.exit()).toBe(75);
    expect(hub.seen.map(({ method }) => method)).not.toContain('host.getTasks');
  });

  it('logs out and says what to do when another builder has the lock', async () => {
    const hub = (await startIdleHub()).on('exclusiveSession', fault(1006, 'Cannot get exclusive session'));
    const daemon = await SpawnedDaemon.start(hub.url);

    expect(await daemon.exit()).toBe(1);
    expect(await daemon.line('could not start')).toMatchObject({
      msg: expect.stringContaining('--force-lock'),
    });
    expect(hub.seen.at(-1)?.method).toBe('logout');
  });
});

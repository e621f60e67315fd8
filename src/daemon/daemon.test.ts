import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  asleepMs,
  lastWords,
  setUpDaemon as setUp,
  sleepTask,
} from '../../test/support/daemon-under-test.ts';
import { settle } from '../../test/support/manual-clock.ts';
import type { ContainerSpec } from '../container/spec.ts';
import { never } from '../core/never.ts';
import { HubFault } from '../hub/faults.ts';
import { exitCode } from './daemon.ts';

const signal = never;

const containerSpec: ContainerSpec = {
  name: 'stray',
  root: { kind: 'image', image: 'localhost/root:1' },
  command: ['/bin/sh'],
  env: {},
  workdir: '/',
  user: { uid: 0, gid: 0 },
  capabilities: [],
  isolation: 'plain',
  network: 'none',
  hostname: 'h',
  mounts: [],
  limits: { pids: 1 },
  owner: { workerId: 'builder', taskId: 1, phase: 'build', attempt: 1 },
  labels: {},
};

describe('Daemon: start', () => {
  it('removes what a previous run left, before it takes work', async () => {
    const { hub, containers, environment, clock, run, happened } = await setUp();
    await containers.images.ensure('localhost/root:1', 'never', signal);
    await containers.create(containerSpec, signal);
    const foreign = { ...containerSpec.owner, workerId: 'another builder' };
    await containers.create({ ...containerSpec, name: 'foreign', owner: foreign }, signal);
    const left = join(environment.workDir, 'tasks', '17', '17');
    await mkdir(left, { recursive: true });
    await writeFile(join(left, 'file'), 'x');
    hub.buildroots.set(3, { state: 'building', task: 17 });
    const stale = hub.addTask('buildArch', [], { state: 'open' });

    void run();
    await clock.asleep(250);

    expect(await containers.list('builder', signal)).toEqual([]);
    expect(await containers.list('another builder', signal)).toHaveLength(1);
    expect(await readdir(join(environment.workDir, 'tasks'))).toEqual([]);
    expect(hub.buildroots.get(3)?.state).toBe('expired');
    expect(hub.paramsOf('host.freeTasks')).toEqual([[[stale]]]);
    expect(hub.methods().slice(0, 4)).toEqual([
      'host.getHost',
      'listBuildroots',
      'host.setBuildRootState',
      'host.getHostTasks',
    ]);
    expect(happened).toEqual(['ready builder']);
  });

  it('logs out again with skip-main', async () => {
    const { hub, run } = await setUp({ skipMain: true });

    expect(await run()).toBe(exitCode.stopped);

    expect(hub.methods()).toEqual(['host.getHost', 'listBuildroots', ...lastWords]);
    expect(hub.told?.ready).toBe(false);
  });

  it.each(['host.getHost', 'listBuildroots'])('ends with 1, logged out, when %s fails', async (method) => {
    const { hub, run, lines } = await setUp();
    hub.once(method, new HubFault(1000, 'database is down'));

    expect(await run()).toBe(exitCode.failed);

    expect(hub.methods().slice(-3)).toEqual(lastWords);
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 60, msg: expect.stringMatching(/fatal error: .*database is down/) }),
    );
  });

  it('looks for buildroots of dead tasks every five minutes, and continues when that fails', async () => {
    const { hub, clock, run, lines } = await setUp();
    void run();
    await clock.asleep(250);
    hub.once('listBuildroots', new HubFault(1000, 'database is down'));

    await clock.advance(300_000);
    expect(lines).toContainEqual(expect.objectContaining({ level: 40 }));
    hub.buildroots.set(3, { state: 'building', task: 17 });
    await clock.advance(300_000);

    expect(hub.buildroots.get(3)?.state).toBe('expired');
  });
});

describe('Daemon: single and debug-task', () => {
  it('takes one task, and ends well when that has ended', async () => {
    const { hub, clock, run, happened } = await setUp({ single: true });
    const code = run();
    await clock.asleep(250);
    const [first, second] = [sleepTask(hub), sleepTask(hub)];

    await clock.advance(250);
    await clock.asleep(asleepMs);
    await clock.advance(asleepMs);

    expect(await code).toBe(exitCode.stopped);
    expect(hub.task(first).state).toBe('closed');
    expect(hub.task(second).state).toBe('assigned');
    expect(hub.told).toEqual({ load: 0, ready: false });
    expect(happened).toEqual(['ready builder', `${first} closed`]);
  });

  it.each([true, false])('logs what tasks are given and give only when asked to: %s', async (debugTask) => {
    const { hub, clock, run, lines, events } = await setUp({ debugTask });
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    events.on('task:ended', () => resolve());
    sleepTask(hub);
    void run();

    await clock.asleep(asleepMs);
    await clock.advance(asleepMs);
    await ended;

    const debugged = lines.filter(({ level }) => level === 20);
    expect(debugged.map(({ msg }) => msg)).toEqual(debugTask ? ['task parameters', 'task result'] : []);
    if (debugTask) expect(debugged[0]).toMatchObject({ method: 'sleep', params: '[5000]' });
  });
});

describe('Daemon: drain', () => {
  it('takes nothing new, lets its tasks finish, and ends with the code for a restart', async () => {
    const { hub, clock, daemon, run, happened, callsFrom } = await setUp();
    const id = sleepTask(hub);
    const code = run();
    await clock.asleep(250);
    await clock.asleep(asleepMs);

    daemon.drain();
    daemon.drain();
    await hub.called('host.updateHost', 3);
    await settle();
    const next = sleepTask(hub);
    await clock.advance(60_000);
    expect(hub.told).toEqual({ load: 0.25, ready: false });
    await clock.advance(asleepMs);

    expect(await code).toBe(exitCode.restart);
    expect(hub.task(id).state).toBe('closed');
    expect(hub.task(next).state).toBe('assigned');
    expect(hub.paramsOf('host.freeTasks')).toEqual([]);
    expect(callsFrom('host.updateHost')).toEqual(lastWords);
    expect(happened).toEqual(['ready builder', 'drain', `${id} closed`]);
  });

  it('ends soon when nothing runs, also when it was asked before it ran', async () => {
    const { hub, daemon, run } = await setUp();

    daemon.drain();

    expect(await run()).toBe(exitCode.restart);
    expect(hub.methods()).not.toContain('host.getTasks');
    expect(hub.closedSessions).toEqual([1]);
  });

  it('can be cut short by a stop', async () => {
    const { hub, clock, daemon, run, happened } = await setUp();
    const id = sleepTask(hub);
    const code = run();
    await clock.asleep(asleepMs);

    daemon.drain();
    daemon.stop();

    expect(await code).toBe(exitCode.stopped);
    expect(hub.task(id).state).toBe('free');
    expect(happened).toEqual(['ready builder', 'drain', 'free', `${id} stopped`]);
  });

  it('does not come after a stop', async () => {
    const { daemon, run, happened } = await setUp();

    daemon.stop();
    daemon.drain();

    expect(await run()).toBe(exitCode.stopped);
    expect(happened).toEqual(['free']);
  });
});

describe('Daemon: the shutdown task', () => {
  it('is closed first, then the daemon stops as by a signal', async () => {
    const { hub, clock, run, happened } = await setUp();
    const sleeping = sleepTask(hub);
    const code = run();
    await clock.asleep(asleepMs);
    const shutdown = hub.addTask('shutdown');

    await clock.advance(250);

    expect(await code).toBe(exitCode.stopped);
    expect(hub.task(shutdown).state).toBe('closed');
    expect(hub.task(sleeping).state).toBe('free');
    expect(happened).toEqual(['ready builder', `${shutdown} closed`, 'free', `${sleeping} stopped`]);
  });
});

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ManualClock, settle } from '../../test/support/manual-clock.ts';
import { MemoryHub, otherHost } from '../../test/support/memory-hub.ts';
import { keptLog } from '../../test/support/silent-log.ts';
import { makeTaskEnvironment } from '../../test/support/task-environment.ts';
import { FakeManager } from '../container/fake/fake-manager.ts';
import type { ContainerSpec } from '../container/spec.ts';
import { HubFault, HubTransportError, SessionLost } from '../hub/faults.ts';
import { Daemon, exitCode } from './daemon.ts';
import { BuilderEvents } from './events.ts';

const image = { id: 'i', digest: 'sha256:0', arch: 'x86_64' };
const { signal } = new AbortController();

const containerSpec: ContainerSpec = {
  name: 'stray',
  root: { kind: 'image', image: 'localhost/root:1' },
  command: ['/bin/sh'],
  env: {},
  workdir: '/',
  user: { uid: 0, gid: 0 },
  capabilities: [],
  network: 'none',
  hostname: 'h',
  mounts: [],
  limits: { pids: 1 },
  owner: { workerId: 'builder', taskId: 1, phase: 'build', attempt: 1 },
  labels: {},
};

async function setUp({ skipMain = false } = {}) {
  const hub = new MemoryHub();
  const clock = new ManualClock();
  const containers = new FakeManager({ clock, images: { 'localhost/root:1': image } });
  const environment = await makeTaskEnvironment(clock, containers);
  const events = new BuilderEvents();
  const { log, lines } = keptLog();
  const space = { freeBytes: new Map<string, number>(), minSpaceBytes: 1, loadAverage: 0, processors: 1 };
  const daemon = new Daemon({
    session: hub.session(),
    environment,
    probe: { look: async () => ({ ...space, engineProblem: null }) },
    events,
    settings: { sleepMs: 15_000, maxJobs: 10, shutdownGraceMs: 60_000 },
    log,
    skipMain,
  });
  const happened: string[] = [];
  events.on('daemon:ready', ({ hostName }) => happened.push(`ready ${hostName}`));
  events.on('daemon:stopping', ({ how }) => happened.push(how));
  events.on('task:ended', ({ taskId, end }) => happened.push(`${taskId} ${end}`));
  let code: Promise<number> | null = null;
  onTestFinished(async () => {
    daemon.stop();
    await code;
  });
  return {
    hub,
    clock,
    containers,
    environment,
    events,
    lines,
    daemon,
    happened,
    run: () => {
      code = daemon.run();
      return code;
    },
    /** The calls of the main session from the first of this method on. */
    callsFrom: (method: string) => {
      const methods = hub.methods(1);
      return methods.slice(methods.lastIndexOf(method));
    },
  };
}

/** A sleep task of a length nothing else has. */
const sleepTask = (hub: MemoryHub, seconds = 5000) => hub.addTask('sleep', [seconds]);
const asleepMs = 5_000_000;
const lastWords = ['host.updateHost', 'host.getHostTasks', 'logout'];

describe('Daemon: start', () => {
  it('removes what an earlier life left, before it takes work', async () => {
    const { hub, containers, environment, clock, run, happened } = await setUp();
    await containers.ensureImage('localhost/root:1', 'never', signal);
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
      expect.objectContaining({ level: 60, msg: expect.stringMatching(/cannot go on: .*database is down/) }),
    );
  });

  it('looks for buildroots of dead tasks every five minutes, and goes on when that fails', async () => {
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

describe('Daemon: stop', () => {
  it('is not ready any more, stops its tasks, frees them once, logs out, and ends with 0', async () => {
    const { hub, clock, daemon, run, happened, callsFrom } = await setUp();
    const [a, b] = [sleepTask(hub), sleepTask(hub)];
    const code = run();
    await clock.asleep(250);
    await clock.asleep(asleepMs);

    daemon.stop();

    expect(await code).toBe(exitCode.stopped);
    expect(callsFrom('host.updateHost')).toEqual([
      'host.updateHost',
      'host.getHostTasks',
      'host.freeTasks',
      'logout',
    ]);
    expect(hub.told).toEqual({ load: 0, ready: false });
    expect(hub.paramsOf('host.freeTasks')).toEqual([[[a, b]]]);
    expect([hub.task(a).state, hub.task(b).state]).toEqual(['free', 'free']);
    expect(hub.closedSessions).toEqual(expect.arrayContaining([1, 2, 3]));
    expect(hub.closedSessions.at(-1)).toBe(1);
    expect(happened.slice(0, 2)).toEqual(['ready builder', 'stop']);
    expect(happened.slice(2).sort()).toEqual([`${a} stopped`, `${b} stopped`]);
  });

  it('says that it is not ready before its tasks have tidied up', async () => {
    const { hub, clock, daemon, run } = await setUp();
    sleepTask(hub);
    const code = run();
    await clock.asleep(asleepMs);
    const tidied = Promise.withResolvers<void>();
    hub.once('logout', () => tidied.promise);

    daemon.stop();
    await hub.called('logout');
    await settle();

    expect(hub.told?.ready).toBe(false);
    expect(hub.paramsOf('host.freeTasks')).toEqual([]);
    tidied.resolve();
    await code;
    expect(hub.paramsOf('host.freeTasks')).toHaveLength(1);
  });

  it('takes no new work', async () => {
    const { hub, clock, daemon, run } = await setUp();
    const code = run();
    await clock.asleep(250);
    const id = sleepTask(hub);

    daemon.stop();
    await code;

    expect(hub.task(id).state).toBe('assigned');
  });

  it.each(['host.openTask', 'host.setTaskWeight', 'subsession'])(
    'frees a task that is being opened: at %s',
    async (method) => {
      const { hub, daemon, run } = await setUp();
      const id = sleepTask(hub);
      hub.once(method, () => {
        // The hub carries it out, but nobody hears of it.
        Object.assign(hub.task(id), { state: 'open' });
        daemon.stop();
      });

      expect(await run()).toBe(exitCode.stopped);

      expect(hub.task(id).state).toBe('free');
    },
  );

  it('leaves alone what ended or was taken away in between', async () => {
    const { hub, clock, daemon, run } = await setUp();
    const [mine, theirs] = [sleepTask(hub), sleepTask(hub)];
    const code = run();
    await clock.asleep(250);
    await clock.asleep(asleepMs);
    hub.task(theirs).host = otherHost;

    daemon.stop();
    await code;

    expect(hub.paramsOf('host.freeTasks')).toEqual([[[mine]]]);
  });

  it('does it once, however often it is asked', async () => {
    const { hub, clock, daemon, run, happened } = await setUp();
    const code = run();
    await clock.asleep(250);

    daemon.stop();
    daemon.stop();
    await code;
    daemon.stop();

    expect(hub.paramsOf('logout')).toHaveLength(1);
    expect(happened).toEqual(['ready builder', 'stop']);
  });

  it('ends at once when it was asked before it ran', async () => {
    const { hub, daemon, run } = await setUp();

    daemon.stop();

    expect(await run()).toBe(exitCode.stopped);
    expect(hub.methods().filter((method) => method !== 'host.getHost')).toEqual(lastWords);
  });

  it('ends the look for dead buildroots, too', async () => {
    const { hub, clock, daemon, run, lines } = await setUp();
    const code = run();
    await clock.asleep(250);
    hub.always('listBuildroots', 'hang');
    await clock.advance(300_000);

    daemon.stop();

    expect(await code).toBe(exitCode.stopped);
    expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([]);
    expect(clock.sleeping).toBe(0);
  });

  it('leaves no listener behind', async () => {
    const { clock, daemon, events, run } = await setUp();
    const before = events.listenerCount('task:ended') + events.listenerCount('poll:done');
    const code = run();
    await clock.asleep(250);
    const during = events.listenerCount('task:ended') + events.listenerCount('poll:done');

    daemon.stop();
    await code;

    expect(during).toBe(before);
    expect(events.listenerCount('task:ended') + events.listenerCount('poll:done')).toBe(before);
  });
});

describe('Daemon: a hub or a task that does not come to an end', () => {
  it('ends although the hub refuses every last word', async () => {
    const { hub, clock, daemon, run, lines } = await setUp();
    const code = run();
    await clock.asleep(250);
    for (const method of lastWords) hub.always(method, new HubTransportError('unreachable', 'no route'));

    daemon.stop();

    expect(await code).toBe(exitCode.stopped);
    expect(lines.filter(({ level }) => level === 40).map(({ msg }) => msg)).toEqual([
      'the hub was not told: not ready',
      'the hub was not told: tasks freed',
      'the hub was not told: logout',
    ]);
  });

  it('ends although the hub hangs', async () => {
    const { hub, clock, daemon, run } = await setUp();
    const code = run();
    await clock.asleep(250);
    for (const method of lastWords) hub.always(method, 'hang');

    daemon.stop();
    for (const method of lastWords) {
      await hub.called(method, hub.paramsOf(method).length);
      await clock.asleep(20_000);
      await clock.advance(20_000);
    }

    expect(await code).toBe(exitCode.stopped);
  });

  it('ends without a task that does not stop, and gives it back', async () => {
    const { hub, clock, daemon, run, lines } = await setUp();
    const id = sleepTask(hub);
    const code = run();
    await clock.asleep(asleepMs);
    hub.once('logout', 'hang');

    daemon.stop();
    await hub.called('logout');
    await clock.advance(60_000);

    expect(await code).toBe(exitCode.stopped);
    expect(hub.task(id).state).toBe('free');
    expect(lines).toContainEqual(expect.objectContaining({ level: 50, taskIds: [id] }));
  });

  it('stops its tasks and ends with 1 when the session is lost, without another word', async () => {
    const { hub, clock, run, happened, lines } = await setUp();
    const id = sleepTask(hub);
    const code = run();
    await clock.asleep(250);
    await clock.asleep(asleepMs);
    hub.lost = new SessionLost('somebody took the lock');
    const before = hub.methods(1).length;

    await clock.advance(250);

    expect(await code).toBe(exitCode.failed);
    expect(happened.at(-1)).toBe(`${id} stopped`);
    expect(hub.methods(1).slice(before)).toEqual(['host.getHostTasks']);
    expect(lines).toContainEqual(expect.objectContaining({ level: 60 }));
  });

  it('gives its tasks back and ends with 1 when it cannot go on for another reason', async () => {
    const { hub, clock, run } = await setUp();
    const id = sleepTask(hub);
    const code = run();
    await clock.asleep(250);
    await clock.asleep(asleepMs);
    hub.once('host.getHost', new HubFault(1007, 'session has expired'));

    await clock.advance(250);

    expect(await code).toBe(exitCode.failed);
    expect(hub.task(id).state).toBe('free');
    expect(hub.closedSessions).toContain(1);
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
    expect(happened).toEqual(['ready builder', 'drain', 'stop', `${id} stopped`]);
  });

  it('does not come after a stop', async () => {
    const { daemon, run, happened } = await setUp();

    daemon.stop();
    daemon.drain();

    expect(await run()).toBe(exitCode.stopped);
    expect(happened).toEqual(['stop']);
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
    expect(happened).toEqual(['ready builder', `${shutdown} closed`, 'stop', `${sleeping} stopped`]);
  });
});

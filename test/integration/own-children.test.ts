import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { FakeRuntime } from '../../src/container/fake/fake-runtime.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { never } from '../../src/core/never.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { BuilderEvents } from '../../src/daemon/events.ts';
import { HubClient } from '../../src/devhub/client.ts';
import { ensureHost, ensureUser } from '../../src/devhub/hub.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { type RunningDevHub, runDevHub } from '../../src/devhub/run.ts';
import { passwordAuth } from '../../src/hub/auth/password.ts';
import { openSession } from '../../src/hub/session/open-session.ts';
import { createTransport } from '../../src/hub/transport/transport.ts';
import { Restarts } from '../../src/journal/restarts.ts';
import { silentLog } from '../support/silent-log.ts';
import { makeTaskEnvironment } from '../support/task-environment.ts';
import { openTaskJournal } from '../support/task-journal.ts';

/** How many times faster than the machine's the clock of hub and builders runs. */
const speed = 10;
const beganMs = systemClock.now();
const fastClock: Clock = {
  now: () => beganMs + (systemClock.now() - beganMs) * speed,
  uptime: () => systemClock.uptime() * speed,
  sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
};

const password = 'secret';
const image = { id: 'i', digest: 'sha256:0', arch: 'x86_64' };
const Id = z.int();

/** A hub whose scheduler runs by Koji's default once a minute, two hosts in one channel, and somebody who asks for tasks. */
async function startHub({ runIntervalMs = 60_000 } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'adjutant-hub-'));
  const hub = await runDevHub({ dir, port: 0, clock: fastClock, settings: { runIntervalMs } });
  onTestFinished(async () => {
    await hub.close();
    await rm(dir, { recursive: true, force: true });
  });
  const hosts = await hub.change((data) => {
    ensureUser(data, 'admin', 'admin', ['admin']);
    const host = { password, arches: 'x86_64 noarch', capacity: 4, channels: ['default'] };
    return ['one', 'two'].map((name) => ensureHost(data, { ...host, name }).id);
  });
  const client = new HubClient(hub.url);
  await client.login('admin', 'admin');
  return { hub, hosts, client };
}

/** A builder without an engine; it ends with the test. */
async function startBuilder(hub: RunningDevHub, name: string): Promise<void> {
  const containers = new FakeRuntime({ clock: fastClock, images: { 'localhost/root:1': image } });
  const environment = await makeTaskEnvironment(fastClock, containers);
  const transport = createTransport({
    server: hub.url,
    secure: false,
    tls: { clientPem: null, serverCaPem: null, skipVerify: false },
    timeoutMs: 60_000,
  });
  const retries = { maxRetries: 2, retryIntervalMs: 1000, offlineRetry: true, offlineRetryIntervalMs: 1000 };
  const auth = passwordAuth(name, password);
  const session = await openSession(retries, auth, fastClock, transport, silentLog);
  await session.exclusiveSession(false);
  const look = {
    freeBytes: new Map<string, number>(),
    minSpaceBytes: 1,
    readOnly: [],
    loadAverage: 0,
    processors: 1,
    engineProblem: null,
  };
  const events = new BuilderEvents();
  const ready = new Promise<void>((resolve) => events.once('poll:done', () => resolve()));
  const daemon = new Daemon({
    session,
    sessions: { list: async () => [], remove: async () => undefined },
    journal: openTaskJournal(environment.workDir, () => fastClock.now()),
    restarts: new Restarts(join(environment.workDir, 'journal/restarts')),
    environment,
    probe: { look: async () => look },
    events,
    settings: {
      sleepMs: 15_000,
      maxJobs: 10,
      shutdownGraceMs: 60_000,
      shutdown: 'free',
      cacheBudget: { snapshotBytes: 10_000, packageBytes: 10_000, failedBytes: 0, solutions: 5000 },
    },
    log: silentLog,
    resume: true,
    skipMain: false,
    single: false,
    debugTask: false,
  });
  const ended = daemon.run();
  onTestFinished(async () => {
    daemon.stop();
    await ended;
  });
  await ready;
}

/** Waits until these tasks have ended, and gives the states in which they did. */
async function statesAtEnd(client: HubClient, tasks: readonly number[]): Promise<readonly number[]> {
  const states: number[] = [];
  const options = { clock: systemClock, intervalMs: 100, onChange: () => undefined };
  const signal = never;
  for (const task of tasks) states.push((await client.watchTask(task, { ...options, signal })).state);
  return states;
}

describe('the children of own tasks', () => {
  it('are opened while the scheduler rests', async () => {
    const { hub, hosts, client } = await startHub({ runIntervalMs: 1_000_000_000 });
    await startBuilder(hub, 'one');
    // Assigned, for the scheduler has had its run.
    const parent = Id.parse(await client.call('makeTask', ['waittest', [2, 5]], { assign: hosts[0] ?? 0 }));

    expect(await statesAtEnd(client, [parent])).toEqual([taskState.CLOSED]);

    const children = await hub.change(({ state: { tables } }) =>
      tables.tasks.filter((row) => row.parent === parent),
    );
    expect(children.map(({ host_id }) => host_id)).toEqual([hosts[0], hosts[0], hosts[0]]);
  });

  it('leave the work of a mass of builds evenly with two hosts', { timeout: 180_000 }, async () => {
    const { hub, hosts, client } = await startHub();
    await Promise.all([startBuilder(hub, 'one'), startBuilder(hub, 'two')]);
    const parents: number[] = [];
    for (let count = 0; count < 40; count += 1)
      parents.push(Id.parse(await client.call('makeTask', ['subtask', [0]])));

    const states = await statesAtEnd(client, parents);

    expect(new Set(states)).toEqual(new Set([taskState.CLOSED]));
    const done = await hub.change(({ state: { tables } }) =>
      tables.tasks.filter(({ method, state }) => method === 'sleep' && state === taskState.CLOSED),
    );
    expect(done).toHaveLength(40);
    // All children sleep equally long.
    const work = hosts.map((id) => done.filter(({ host_id }) => host_id === id).length);
    expect(Math.min(...work) / Math.max(...work)).toBeGreaterThanOrEqual(0.85);
  });

  it('are run by another host when theirs dies before it has opened them', async () => {
    const { hub, hosts, client } = await startHub();
    const dying = new HubClient(hub.url);
    await dying.login('one', password);
    await dying.call('exclusiveSession', [], { force: false });
    const parent = Id.parse(await client.call('makeTask', ['subtask', [0]], { assign: hosts[0] ?? 0 }));
    await dying.call('host.openTask', [parent]);
    const child = Id.parse(await dying.call('host.subtask', ['sleep', [15], parent], { label: 'bar' }));
    // The host is gone, and after HostTimeout the hub frees what it had open.
    await client.call('freeTask', [parent]);

    await startBuilder(hub, 'two');

    expect(await statesAtEnd(client, [parent, child])).toEqual([taskState.CLOSED, taskState.CLOSED]);
    const all = await hub.change(({ state: { tables } }) => tables.tasks.all());
    expect(all.map(({ id, host_id }) => [id, host_id])).toEqual([
      [parent, hosts[1]],
      [child, hosts[1]],
    ]);
  });
});

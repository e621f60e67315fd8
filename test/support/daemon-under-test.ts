import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { FakeRuntime } from '../../src/container/fake/fake-runtime.ts';
import { Daemon, type Shutdown } from '../../src/daemon/daemon.ts';
import { BuilderEvents, endLabels } from '../../src/daemon/events.ts';
import type { TaskEnvironment } from '../../src/daemon/run/task-runner.ts';
import { Restarts } from '../../src/journal/restarts.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryHub } from './memory-hub.ts';
import { keptLog } from './silent-log.ts';
import { makeTaskEnvironment } from './task-environment.ts';
import { openTaskJournal } from './task-journal.ts';

const cacheBudget = { snapshotBytes: 10_000, packageBytes: 10_000, failedBytes: 0, solutions: 5000 };
const image = { id: 'i', digest: 'sha256:0', arch: 'x86_64' };

/** What outlives a daemon: the hub, the engine, the worker's area. Its clock is left standing still. */
interface EarlierLife {
  readonly hub: MemoryHub;
  readonly containers: FakeRuntime;
  readonly environment: TaskEnvironment;
}

/**
 * A daemon that is not running yet, with a hub in memory and a clock that the test moves; stopped when the test ends.
 * `after`: the next start of another one.
 */
export async function setUpDaemon({
  skipMain = false,
  single = false,
  debugTask = false,
  shutdown = 'free' as Shutdown,
  resume = true,
  after = null as EarlierLife | null,
} = {}) {
  const hub = after?.hub ?? new MemoryHub();
  const clock = new ManualClock();
  const containers = after?.containers ?? new FakeRuntime({ clock, images: { 'localhost/root:1': image } });
  const environment = { ...(after?.environment ?? (await makeTaskEnvironment(clock, containers))), clock };
  const events = new BuilderEvents();
  const { log, lines } = keptLog();
  const space = {
    freeBytes: new Map<string, number>(),
    minSpaceBytes: 1,
    readOnly: [],
    loadAverage: 0,
    processors: 1,
  };
  const journal = openTaskJournal(environment.workDir, () => clock.now(), log);
  const daemon = new Daemon({
    session: hub.session(),
    sessions: { list: async () => [], remove: async () => undefined },
    journal,
    restarts: new Restarts(join(environment.workDir, 'journal/restarts')),
    resume,
    environment,
    probe: { look: async () => ({ ...space, engineProblem: null }) },
    events,
    settings: { sleepMs: 15_000, maxJobs: 10, shutdownGraceMs: 60_000, shutdown, cacheBudget },
    log,
    skipMain,
    single,
    debugTask,
  });
  const happened: string[] = [];
  events.on('daemon:ready', ({ hostName }) => happened.push(`ready ${hostName}`));
  events.on('daemon:stopping', ({ how }) => happened.push(how));
  events.on('task:ended', ({ taskId, outcome }) => happened.push(`${taskId} ${endLabels[outcome]}`));
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
    journal,
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
export const sleepTask = (hub: MemoryHub, seconds = 5000) => hub.addTask('sleep', [seconds]);
export const asleepMs = 5_000_000;
export const lastWords = ['host.updateHost', 'host.getHostTasks', 'logout'];

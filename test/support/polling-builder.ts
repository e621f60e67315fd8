import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { acceptRules } from '../../src/config/options/accept-rules.ts';
import { FakeRuntime } from '../../src/container/fake/fake-runtime.ts';
import { BuilderEvents, endLabels } from '../../src/daemon/events.ts';
import { OwnChildren } from '../../src/daemon/intake/own-children.ts';
import { TaskSource } from '../../src/daemon/intake/task-source.ts';
import { PollBackoff } from '../../src/daemon/poll-backoff.ts';
import { PollLoop } from '../../src/daemon/poll-loop.ts';
import { Supervisor } from '../../src/daemon/run/supervisor.ts';
import { hubApis } from '../../src/hub/api/apis.ts';
import { HubFault, HubProtocolError, HubTransportError } from '../../src/hub/faults.ts';
import type { TaskAdapter } from '../../src/tasks/adapter.ts';
import { taskRegistry } from '../../src/tasks/registry.ts';
import { noControl } from './host-control.ts';
import { ManualClock, settle } from './manual-clock.ts';
import { MemoryHub } from './memory-hub.ts';
import { keptLog } from './silent-log.ts';
import { makeTaskEnvironment } from './task-environment.ts';
import { openTaskJournal } from './task-journal.ts';

const quarter = 250;

/** Takes only hosts of the arch in its parameter. */
const picky: TaskAdapter<string> = {
  methods: ['picky'],
  weight: 2,
  signature: { names: ['arch'], schema: z.object({ arch: z.string() }).transform(({ arch }) => arch) },
  checkHost: async (arch, { arches }) => {
    if (arch === 'no tag') throw new HubFault(1000, 'No such entry in table tag');
    if (arch === 'odd tag') throw new HubProtocolError('arches: expected string');
    if (arch === 'no hub') throw new HubTransportError('unreachable', 'no route');
    return arches.includes(arch) ? null : 'failed host check';
  },
  run: async (_arch, { clock, signal }) => {
    await clock.sleep(7_000_000, signal);
    return null;
  },
};

/** A poll loop with all it drives, a hub in memory and a clock that the test moves; it ends with the test. */
export async function setUpPollLoop({
  sleepMs = 15_000,
  maxJobs = 10,
  accept = '',
  assignChildren = 'auto' as 'auto' | 'yes' | 'no',
} = {}) {
  const hub = new MemoryHub();
  const clock = new ManualClock();
  const environment = await makeTaskEnvironment(clock, new FakeRuntime({ clock, images: {} }));
  const events = new BuilderEvents();
  const { log, lines } = keptLog();
  const session = hub.session();
  const { host, tags, repos, version, queue } = hubApis(session, clock);
  const pace = new PollBackoff(clock, sleepMs);
  const registry = new Map(taskRegistry(noControl));
  // The registry's own types forget the parameters in the same way.
  registry.set('picky', picky as TaskAdapter);
  const weightOf = (method: string) => registry.get(method)?.weight ?? null;
  const children = new OwnChildren({
    mode: assignChildren,
    queue,
    host,
    version,
    maxJobs,
    weightOf,
    events,
    log,
  });
  const source = new TaskSource({
    host,
    version,
    children,
    registry,
    tags,
    repos,
    accept: acceptRules.schema.parse(accept),
    pace,
    clock,
    availDelayMs: 300_000,
    events,
    log,
  });
  const journal = openTaskJournal(environment.workDir);
  const supervisor = new Supervisor({ environment, session, journal, hostTasks: source, events, log });
  const space = {
    freeBytes: new Map<string, number>(),
    minSpaceBytes: 1,
    readOnly: [],
    loadAverage: 0,
    processors: 1,
    engineProblem: null as string | null,
  };
  const probe = { look: async () => space };
  const loop = new PollLoop({
    host,
    source,
    supervisor,
    probe,
    events,
    maxJobs,
    pace,
    clock,
    log,
    single: false,
    methods: [...registry.keys()],
  });
  const abort = new AbortController();
  const rounds: string[] = [];
  let round = Promise.withResolvers<void>();
  const note = (what: string) => {
    rounds.push(what);
    round.resolve();
    round = Promise.withResolvers();
  };
  events.on('poll:done', ({ ready, why, tasks }) => note(`${ready ? 'ready' : why} ${tasks}`));
  events.on('poll:failed', ({ error }) => note(`failed: ${String(error)}`));
  const ended: string[] = [];
  let end = Promise.withResolvers<void>();
  events.on('task:ended', ({ taskId, outcome }) => {
    ended.push(`${taskId} ${endLabels[outcome]}`);
    end.resolve();
    end = Promise.withResolvers();
  });
  let running: Promise<void> = Promise.resolve();
  onTestFinished(async () => {
    abort.abort();
    await running;
    await supervisor.cancelAll('shutdown');
  });
  return {
    hub,
    clock,
    supervisor,
    loop,
    children,
    events,
    pace,
    space,
    rounds,
    ended,
    lines,
    abort,
    /** Starts the loop and waits until it pauses. */
    async start(): Promise<void> {
      const result = loop.run(abort.signal);
      running = result.catch(() => undefined);
      await clock.asleep(Math.min(quarter, sleepMs));
    },
    /** Waits until the loop has ended by itself. */
    over: () => running,
    /** Waits until this many tasks have ended. */
    async tasksEnded(count: number): Promise<void> {
      while (ended.length < count) await end.promise;
    },
    /** The next round, and the pause after it. */
    async nextRound(): Promise<void> {
      const over = round.promise;
      pace.expectWork();
      await over;
      await clock.asleep();
      await settle();
    },
    /** Calls made since the last time this was asked. */
    newCalls: (() => {
      let seen = 0;
      return () => {
        const calls = hub.methods(1).slice(seen);
        seen += calls.length;
        return calls;
      };
    })(),
  };
}

/** A task that sleeps for a time no pause has. */
const long = 5000;
export const sleepTask = (hub: MemoryHub, more = {}) => hub.addTask('sleep', [long], more);
export const asleepMs = long * 1000;

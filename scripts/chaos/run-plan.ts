import { readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { never } from '../../src/core/never.ts';
import { taskState } from '../../src/devhub/rows.ts';
import type { ContainerEvent } from './engine.ts';
import { freeTag } from './hub.ts';
import { openChaosHub } from './open-hub.ts';
import type { TaskOutcome } from './outcome.ts';
import type { Plan, PlannedTask } from './plan.ts';
import type { Surroundings } from './surroundings.ts';
import { Trouble } from './trouble.ts';
import { World } from './world.ts';

/** Tasks that are at work at the same time. */
const atOnce = 8;
const fillMs = 1_500;
const ended: readonly number[] = [taskState.CLOSED, taskState.CANCELED, taskState.FAILED];
/** Phases whose container is the task itself. */
const lastPhases = ['build', 'createrepo'];

export interface PlanResult {
  /** In the order of the plan. */
  readonly outcomes: readonly TaskOutcome[];
  readonly faults: ReadonlyMap<string, number>;
  /** Trouble that has not met the call or container it was meant for. */
  readonly strayed: readonly string[];
  /** Tasks that were done more than once. */
  readonly doubled: readonly string[];
  readonly leaked: readonly string[];
  readonly starts: number;
  readonly seconds: number;
  /** A copy of the daemon's log. */
  readonly logPath: string;
}

/** Runs all tasks of a plan, with its trouble or without. */
export async function runPlan(
  plan: Plan,
  seed: number,
  surroundings: Surroundings,
  { disturbed, log }: { readonly disturbed: boolean; readonly log: (line: string) => void },
): Promise<PlanResult> {
  const startedMs = systemClock.uptime();
  const logPath = join(
    tmpdir(),
    `koji-adjutant-chaos-${process.pid}-${disturbed ? 'disturbed' : 'calm'}.log`,
  );
  const completions = new Map<number, number>();
  let trouble: Trouble | undefined;
  const onEvent = (event: ContainerEvent) => {
    trouble?.onContainer(event);
    if (event.status !== 'died' || event.exitCode !== 0 || !lastPhases.includes(event.phase)) return;
    completions.set(event.taskId, (completions.get(event.taskId) ?? 0) + 1);
  };
  const world = await World.open(surroundings, {
    openHub: (directory) => openChaosHub(directory, surroundings),
    withRepo: plan.tasks.some(({ kind }) => kind === 'build'),
    rules: {
      onRequest: (call) => trouble?.onRequest(call) ?? null,
      onReply: (call) => trouble?.onReply(call),
    },
    onEvent,
  });
  const work: Promise<unknown>[] = [];
  let setByMs = 0;
  try {
    completions.clear();
    if (disturbed)
      trouble = new Trouble(plan, seed, {
        killDaemon: () => world.daemon.kill(),
        restartEngine: () => work.push(world.engine.restart()),
        fillDisk() {
          if (world.area.fill()) work.push(systemClock.sleep(fillMs, never).then(() => world.area.empty()));
        },
        setClock() {
          setByMs = setByMs === 0 ? 3_600_000 : setByMs > 0 ? -3_600_000 : 0;
          world.daemon.setClock(setByMs);
        },
        nowMs: () => systemClock.uptime(),
      });
    const ids = await runTasks(world, plan, trouble, log);
    trouble?.stop();
    await Promise.all(work);
    const outcomes: TaskOutcome[] = [];
    for (const id of ids) outcomes.push(await world.outcome(id));
    const here = world.leftHere();
    const left = [...(await here)];
    await world.daemon.stop();
    left.push(...(await world.leftOnHub()));
    return {
      outcomes,
      faults: trouble?.done ?? new Map(),
      strayed: trouble?.strayed ?? [],
      doubled: doubledIn(completions, readFileSync(world.logPath, 'utf8')),
      leaked: left,
      starts: world.daemon.starts,
      seconds: (systemClock.uptime() - startedMs) / 1000,
      logPath,
    };
  } catch (error) {
    log(`${String(error)}; the daemon's log is ${logPath}`);
    throw error;
  } finally {
    await copyFile(world.logPath, logPath);
    await world.close();
  }
}

/**
 * Tasks whose last container came to a good end more often than the task was begun: one that was given back, for want of
 * room or of the engine, before its results were on the hub is rightly done again.
 */
export function doubledIn(completions: ReadonlyMap<number, number>, log: string): readonly string[] {
  return [...completions].flatMap(([id, count]) => {
    const givenBack = log
      .split('\n')
      .filter((line) => line.includes(`"taskId":${id},`))
      .filter((line) =>
        /"msg":"(task refused after opening|task freed, it goes back to the queue)"/.test(line),
      ).length;
    return count > 1 + givenBack ? [`task ${id}: ${count} times, given back ${givenBack} times`] : [];
  });
}

/** Submits the tasks, a few at a time and not faster than trouble is dealt, and waits for their ends. */
async function runTasks(
  world: World,
  plan: Plan,
  trouble: Trouble | undefined,
  log: (line: string) => void,
): Promise<readonly number[]> {
  const ids: number[] = [];
  const open = new Set<number>();
  const toCancel = new Set<number>();
  const wanted = plan.blows.length + plan.mishaps.length;
  let tags = 0;
  while (ids.length < plan.tasks.length || open.size > 0) {
    trouble?.tick();
    for (const [id, state] of await world.states([...open])) {
      if (ended.includes(state)) open.delete(id);
      else if (state === taskState.OPEN && toCancel.delete(id)) await world.cancel(id);
    }
    const next = plan.tasks[ids.length];
    // Tasks and trouble wait for each other: those at work meet their share of it.
    const share = (tasks: number) => (wanted * tasks) / plan.tasks.length;
    trouble?.deal(share(ids.length));
    if (ids.length >= plan.tasks.length * 0.8) trouble?.hurry();
    const mayStart = trouble === undefined || trouble.total >= share(ids.length - atOnce);
    if (next !== undefined && open.size < atOnce && (mayStart || open.size < 3)) {
      const id = await submit(world, next, next.kind === 'tagBuild' ? tags++ : 0);
      ids.push(id);
      open.add(id);
      if (next.kind === 'canceled') toCancel.add(id);
      if (ids.length % 20 === 0)
        log(`${ids.length} tasks, ${trouble?.total ?? 0} faults, ${world.daemon.starts} starts`);
    } else await systemClock.sleep(200, never);
  }
  return ids;
}

async function submit(world: World, { kind, dice }: PlannedTask, tag: number): Promise<number> {
  switch (kind) {
    case 'sleep':
      return world.submit('sleep', [Math.round(dice * 20) / 10]);
    case 'fork':
      return world.submit('fork', [3, 1]);
    case 'waittest':
      return world.submit('waittest', [2, 1]);
    case 'subtask':
      return world.submit('subtask', [dice < 0.5 ? 1 : 2]);
    case 'failing':
      return world.submit('default', []);
    case 'canceled':
      return world.submit('sleep', [3600]);
    case 'tagBuild':
      return world.submit('tagBuild', [freeTag, world.build(tag), false, null, true]);
    case 'newRepo':
      return world.submit('newRepo', ['td1-build']);
    case 'build':
      return world.submitBuild();
  }
}

// How soon a daemon that was killed resumes its tasks, and what that costs a build:
//   npm run bench:restart -- [--tasks 10] [--seconds 60]
// Development hub, real daemon under a supervisor, real Podman; needs what end-to-end tests need (scripts/test.sh). Ends with 1 when the
// tasks are not all adopted within 2 s, or three kills cost the build more than 10 s.
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { never } from '../../src/core/never.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { allNumbers, countedIn, countingSpec } from '../../test/e2e/counting.ts';
import { makeSrpm } from '../../test/e2e/surroundings.ts';
import { DevChaosHub } from '../chaos/dev-hub.ts';
import { surroundingsOf } from '../chaos/surroundings.ts';
import { World } from '../chaos/world.ts';

const { values } = parseArgs({
  options: { tasks: { type: 'string', default: '10' }, seconds: { type: 'string', default: '60' } },
});
const tasks = Number(values.tasks);
const seconds = Number(values.seconds);
const adoptedWithinMs = 2_000;
const mayCostMs = 10_000;
const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const Task = z.looseObject({ start_ts: z.number(), completion_ts: z.number().nullable() });
const LogLine = z.looseObject({ time: z.string(), msg: z.string(), taskId: z.int().optional() });

for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => process.exit(1));

const surroundings = surroundingsOf(process.env);
const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-restart-'));
const world = await World.open(surroundings, {
  openHub: (place) => DevChaosHub.open(place, surroundings.distribution, 100),
  withRepo: true,
  // What a host runs.
  cli: join(import.meta.dirname, '../../dist/cli.js'),
  rules: { onRequest: () => null },
  onEvent: () => undefined,
});
const srpm = await world.upload(await makeSrpm(directory, 'counting', countingSpec(seconds * 10)));
const repo = z.looseObject({ id: z.int() }).parse(await world.ask('getRepo', ['td1-build']));

const submit = () =>
  world.submit('buildArch', [srpm, 'td1-build', arch, true, { repo_id: repo.id }], { arch });
const countOf = (task: number): number => {
  const path = world.uploadPath(task, 'build.log');
  return existsSync(path) ? (countedIn(readFileSync(path, 'utf8')).at(-1) ?? 0) : 0;
};

async function untilCounted(task: number, number: number): Promise<void> {
  while (countOf(task) < number) await systemClock.sleep(50, never);
}

/** When the daemon that runs was started, by the time of its log. */
function linesSince(startedMs: number): readonly z.infer<typeof LogLine>[] {
  return readFileSync(world.logPath, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => LogLine.parse(JSON.parse(line)))
    .filter(({ time }) => Date.parse(time) >= startedMs);
}

/** Waits for the end of a build; gives how long it was open. */
async function tookMs(task: number): Promise<number> {
  await world.end(task);
  const { start_ts: start, completion_ts: end } = Task.parse(await world.ask('getTaskInfo', [task]));
  if ((await world.stateOf(task)) !== taskState.CLOSED) throw new Error(`task ${task} was not closed`);
  const counted = countedIn(readFileSync(world.uploadPath(task, 'build.log'), 'utf8'));
  if (counted.join() !== allNumbers(seconds * 10).join())
    throw new Error(`the log of task ${task} is not whole`);
  return ((end ?? Number.NaN) - start) * 1000;
}

/** Kills the daemon; gives how long the next one takes from its start until it follows all of these tasks. */
async function killAndMeasure(ids: readonly number[]): Promise<number> {
  const { starts } = world.daemon;
  world.daemon.kill();
  while (world.daemon.starts === starts) await systemClock.sleep(5, never);
  const { startedMs } = world.daemon;
  const followed = () =>
    ids.map((id) =>
      linesSince(startedMs).find(({ msg, taskId }) => taskId === id && msg === 'resumed a running container'),
    );
  while (followed().includes(undefined)) await systemClock.sleep(50, never);
  return Math.max(...followed().map((line) => Date.parse(line?.time ?? ''))) - startedMs;
}

try {
  // What the builds need is prepared from here on.
  const undisturbedMs = await tookMs(await submit());
  const killed = await submit();
  for (const part of [0.25, 0.5, 0.75]) {
    await untilCounted(killed, seconds * 10 * part);
    await killAndMeasure([killed]);
  }
  const killedMs = await tookMs(killed);

  const running: number[] = [];
  for (let count = 0; count < tasks; count += 1) running.push(await submit());
  for (const id of running) await untilCounted(id, 1);
  const adoptedMs: number[] = [];
  for (let round = 0; round < 3; round += 1) adoptedMs.push(await killAndMeasure(running));
  for (const id of running) await world.cancel(id);

  const inSeconds = (ms: number) => (ms / 1000).toFixed(2);
  const costMs = killedMs - undisturbedMs;
  console.log(
    `from the start of the daemon until ${tasks} running builds are followed: ${adoptedMs.map(inSeconds).join(', ')} s`,
  );
  console.log(
    `a build of ${seconds} s: ${inSeconds(undisturbedMs)} s undisturbed, ${inSeconds(killedMs)} s with three kills, ${inSeconds(costMs)} s more`,
  );
  process.exitCode = Math.max(...adoptedMs) < adoptedWithinMs && costMs < mayCostMs ? 0 : 1;
} finally {
  await world.close();
  await rm(directory, { recursive: true });
}

// Puts a daemon through trouble and compares how its tasks ended with an undisturbed run of the same tasks:
//   npm run chaos -- --seed N --tasks T --faults F [--short]
// Needs what end-to-end tests need (scripts/test.sh). With KOJI_TEST_HUB, the env.sh of a real hub for tests, the tasks are those of
// that hub, else of a development hub. The same seed makes the same tasks and the same list of
// trouble; `--short` has few of both and no buildroots; when exactly it strikes depends on the machine. Ends with 1 unless nothing was lost, doubled or leaked.
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { differences } from './outcome.ts';
import { makePlan } from './plan.ts';
import { type PlanResult, runPlan } from './run-plan.ts';
import { surroundingsOf } from './surroundings.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    tasks: { type: 'string' },
    faults: { type: 'string' },
    short: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const tasks = Number(values.tasks ?? (values.short ? 8 : 200));
const faults = Number(values.faults ?? (values.short ? 12 : 300));

const surroundings = surroundingsOf(process.env);
// A stop ends everything that was started.
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => process.exit(1));
const startedMs = performance.now();
const log = (line: string): void =>
  console.log(`[chaos +${((performance.now() - startedMs) / 1000).toFixed(0)}s] ${line}`);

const plan = makePlan(seed, tasks, faults, !values.short);
log(
  `seed ${seed}: ${tasks} tasks, ${plan.mishaps.length} mishaps of calls, ${plan.blows.length} blows, ${surroundings.realHub === null ? 'development hub' : 'real hub'}`,
);
const calm = await runPlan(plan, seed, surroundings, { disturbed: false, log });
log(`undisturbed in ${calm.seconds.toFixed(0)} s`);
const rough = await runPlan(plan, seed, surroundings, { disturbed: true, log });
log(`with trouble in ${rough.seconds.toFixed(0)} s`);

const lost = calm.outcomes.map((wanted, index) => {
  const got = rough.outcomes[index];
  return got === undefined ? [`task ${index} is not there`] : differences(wanted, got);
});
show(calm, rough);
for (const [index, found] of lost.entries())
  for (const line of found) console.log(`lost: ${plan.tasks[index]?.kind} ${index}: ${line}`);
for (const line of rough.doubled) console.log(`doubled: ${line}`);
for (const line of rough.leaked) console.log(`leaked: ${line}`);
for (const line of calm.leaked) console.log(`leaked undisturbed: ${line}`);
const dealt = [...rough.faults.values()].reduce((sum, count) => sum + count, 0);
const lostCount = lost.filter((found) => found.length > 0).length;
console.log(
  `${tasks} tasks, ${dealt} faults, ${lostCount} lost, ${rough.doubled.length} doubled, ${rough.leaked.length + calm.leaked.length} leaked`,
);
const isWell = lostCount + rough.doubled.length + rough.leaked.length + calm.leaked.length === 0;
for (const { logPath } of [calm, rough])
  if (isWell) rmSync(logPath);
  else console.error(`the daemon's log: ${logPath}`);
process.exitCode = isWell ? 0 : 1;

function show(undisturbed: PlanResult, disturbed: PlanResult): void {
  console.log(`\n${'trouble'.padEnd(18)} count`);
  for (const [kind, count] of [...disturbed.faults].sort()) console.log(`${kind.padEnd(18)} ${count}`);
  console.log(`${'daemon starts'.padEnd(18)} ${disturbed.starts} (undisturbed ${undisturbed.starts})`);
  console.log(`\nelsewhere than meant: ${disturbed.strayed.join(', ') || 'none'}\n`);
}

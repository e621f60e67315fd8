// Has a daemon run many small tasks and watches its memory (MB in use after a garbage collection) and open descriptors:
//   npm run bench:soak -- --tasks 500 --at-once 4
// Needs what end-to-end tests need (scripts/test.sh). Ends with 1 when the last tenth takes more than 10 % more than
// the second tenth.
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/core/clock.ts';
import { never } from '../../src/core/never.ts';
import { DevChaosHub } from '../chaos/dev-hub.ts';
import { surroundingsOf } from '../chaos/surroundings.ts';
import { World } from '../chaos/world.ts';

const { values } = parseArgs({
  options: { tasks: { type: 'string', default: '500' }, 'at-once': { type: 'string', default: '4' } },
});
const tasks = Number(values.tasks);
const atOnce = Number(values['at-once']);
const surroundings = surroundingsOf(process.env);
const allowed = 1.1;

for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => process.exit(1));

const world = await World.open(surroundings, {
  openHub: (directory) => DevChaosHub.open(directory, surroundings.distribution),
  withRepo: false,
  rules: { onRequest: () => null },
  onEvent: () => undefined,
});
interface Sample {
  readonly descriptors: number;
  readonly rssBytes: number;
  readonly liveBytes: number;
}
const samples: Sample[] = [];
const startedMs = systemClock.now();
const open = new Set<number>();
let submitted = 0;
while (samples.length < tasks) {
  for (const id of open)
    if (await world.hasEnded(id)) {
      open.delete(id);
      const usage = world.daemon.usage();
      if (usage !== null) samples.push({ ...usage, liveBytes: await world.daemon.liveBytes() });
    }
  while (open.size < atOnce && submitted < tasks) {
    // Three sorts, so that children and processes are among them.
    const [method, params] = (
      [
        ['sleep', [0]],
        ['fork', [2, 1]],
        ['waittest', [1, 0]],
      ] as const
    )[submitted % 3] ?? ['sleep', [0]];
    open.add(await world.submit(method, params));
    submitted += 1;
  }
  await systemClock.sleep(50, never);
}
const seconds = (systemClock.now() - startedMs) / 1000;
await world.close();

/** The mean over the n-th tenth, counted from 1. */
function mean(tenth: number, key: keyof Sample): number {
  const size = Math.floor(samples.length / 10);
  const part = samples.slice((tenth - 1) * size, tenth * size);
  return part.reduce((sum, sample) => sum + sample[key], 0) / part.length;
}

let isFlat = true;
console.log(`${tasks} tasks, ${atOnce} at a time, ${seconds.toFixed(0)} s`);
for (const [name, key, unit] of [
  ['in use', 'liveBytes', 2 ** 20],
  // What V8 has taken and not given back; it says little about what is needed.
  ['resident', 'rssBytes', 2 ** 20],
  ['descriptors', 'descriptors', 1],
] as const) {
  const tenths = Array.from({ length: 10 }, (_, index) => (mean(index + 1, key) / unit).toFixed(1));
  const ratio = mean(10, key) / mean(2, key);
  if (ratio > allowed && key !== 'rssBytes') isFlat = false;
  console.log(`${name.padEnd(12)} by tenths ${tenths.join(' ')}; last by second ${ratio.toFixed(3)}`);
}
process.exitCode = isFlat ? 0 : 1;

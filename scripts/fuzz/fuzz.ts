// Feeds the parsers of foreign input with inputs that are made from a seed:
//   npm run fuzz -- --inputs 1000000 --seed 1 [--parser NAME]
// Ends with 1 when a parser throws what it does not promise, takes longer than the limit for an input, changes a
// prototype, or wants too much memory. The same seed makes the same inputs.
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { parsers } from './parsers.ts';
import type { FuzzJob, FuzzReport } from './worker.ts';

/** How long one input may take. */
const inputLimitMs = 5_000;
/** What a parser's thread may hold. */
const heapLimitMb = 512;
/** Problems that are shown of one parser. */
const shown = 5;

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    parser: { type: 'string', multiple: true },
  },
});
const inputs = Number(values.inputs);
const seed = Number(values.seed);
const names = values.parser ?? Object.keys(parsers);

let failed = false;
console.log(
  `${'parser'.padEnd(10)} ${'inputs'.padStart(9)} ${'accepted'.padStart(9)} ${'seconds'.padStart(8)} ${'slowest'.padStart(9)} ${'memory'.padStart(8)}`,
);
for (const name of names) {
  const startedMs = performance.now();
  const problems: string[] = [];
  const end = await run({ parser: name, inputs, seed, progress: new SharedArrayBuffer(4) }, problems);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const figures =
    end === null
      ? 'not finished'
      : `${String(end.accepted).padStart(9)} ${seconds.padStart(8)} ${`${end.slowestMs.toFixed(0)} ms`.padStart(9)} ${`${(end.rssBytes / 2 ** 20).toFixed(0)} MB`.padStart(8)}`;
  console.log(`${name.padEnd(10)} ${String(inputs).padStart(9)} ${figures}`);
  for (const problem of problems.slice(0, shown)) console.log(problem);
  if (problems.length > 0 || end === null) failed = true;
}
process.exitCode = failed ? 1 : 0;

type End = Extract<FuzzReport, { readonly accepted: number }>;

/** Runs one parser in a thread that is ended when an input takes too long; null when it did not get through. */
async function run(job: FuzzJob, problems: string[]): Promise<End | null> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: heapLimitMb },
  });
  const progress = new Int32Array(job.progress);
  let [last, sinceMs] = [-1, performance.now()];
  const watch = setInterval(() => {
    const now = Atomics.load(progress, 0);
    if (now !== last) [last, sinceMs] = [now, performance.now()];
    else if (performance.now() - sinceMs > inputLimitMs) {
      problems.push(`input ${now} takes longer than ${inputLimitMs} ms`);
      worker.terminate().catch((error: unknown) => problems.push(String(error)));
    }
  }, 500);
  try {
    return await new Promise<End | null>((resolve) => {
      worker.on('message', (report: FuzzReport) => {
        if ('problem' in report)
          problems.push(`input ${report.at}: ${report.problem}\n  base64: ${report.input.slice(0, 2000)}`);
        else resolve(report);
      });
      worker.on('error', (error) => {
        problems.push(`the parser's thread has ended at input ${progress[0]}: ${String(error)}`);
        resolve(null);
      });
      worker.on('exit', () => resolve(null));
    });
  } finally {
    clearInterval(watch);
    await worker.terminate();
  }
}

import { parentPort, workerData } from 'node:worker_threads';
import { mutate, SeededRandom } from './mutator.ts';
import { parsers } from './parsers.ts';

/** What the thread is told to do. */
export interface FuzzJob {
  readonly parser: string;
  readonly inputs: number;
  readonly seed: number;
  /** Number of the input that is at work, for whoever watches. */
  readonly progress: SharedArrayBuffer;
}

/** What it tells: a problem with the input that led to it, or the end. */
export type FuzzReport =
  | { readonly problem: string; readonly at: number; readonly input: string }
  | { readonly accepted: number; readonly slowestMs: number; readonly rssBytes: number };

const { parser: name, inputs, seed, progress } = workerData as FuzzJob;
const parser = parsers[name];
if (parser === undefined) throw new Error(`there is no parser ${name}`);
const at = new Int32Array(progress);
const prototypes = [Object.prototype, Array.prototype, Map.prototype];
const untouched = prototypes.map((one) => Reflect.ownKeys(one).length).join();
let accepted = 0;
let slowestMs = 0;
let rssBytes = 0;

for (let index = 0; index < inputs; index += 1) {
  at[0] = index;
  // Each input can be made again by itself.
  const input = mutate(new SeededRandom(seed * 1_000_003 + index), parser);
  const startedMs = performance.now();
  try {
    await parser.parse(input);
    accepted += 1;
  } catch (error) {
    if (!parser.isExpected(error))
      report({
        problem: error instanceof Error ? (error.stack ?? error.message) : String(error),
        at: index,
        input: input.toString('base64'),
      });
  }
  slowestMs = Math.max(slowestMs, performance.now() - startedMs);
  if (prototypes.map((one) => Reflect.ownKeys(one).length).join() !== untouched)
    throw new Error(`input ${index} has changed a prototype`);
  if (index % 5000 === 0) rssBytes = Math.max(rssBytes, process.memoryUsage.rss());
}
report({ accepted, slowestMs, rssBytes });

function report(what: FuzzReport): void {
  parentPort?.postMessage(what);
}

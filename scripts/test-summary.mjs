// test-summary.mjs COUNTS-FILE PROJECT... - adds up what scripts/test-counts.mjs wrote of these vitest projects: the
// skipped tests with their reasons, the slowest files, then `N passed, N failed, N skipped`. Exit code 1 for a project
// of which nothing was executed.
import { existsSync, readFileSync } from 'node:fs';

const shownFiles = 10;
const [file, ...projects] = process.argv.slice(2);
const runs = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').map(JSON.parse) : [];
const sum = { passed: 0, failed: 0, skipped: 0 };
for (const { passed, failed, skipped } of runs) {
  sum.passed += passed;
  sum.failed += failed;
  sum.skipped += skipped.length;
  for (const { test, reason } of skipped)
    console.log(`skipped: ${test}${reason === null ? '' : ` (${reason})`}`);
}
for (const project of projects) {
  const isExecuted = runs.some((run) => run.project === project && run.passed + run.failed > 0);
  if (isExecuted) continue;
  console.log(`${project}: no test was executed, which counts as a failure`);
  process.exitCode = 1;
}
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const files = runs.flatMap((run) => run.files).toSorted((a, b) => b.ms - a.ms);
for (const { file: path, ms, hooksMs } of files.slice(0, shownFiles))
  console.log(`slow: ${path} ${seconds(ms)}, of which ${seconds(hooksMs)} before and after its tests`);
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);

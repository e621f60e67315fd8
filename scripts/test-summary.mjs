// test-summary.mjs COUNTS-FILE... - adds up what scripts/test-counts.mjs wrote, one file for each vitest run: the
// skipped tests with their reasons, the slowest files, then `N passed, N failed, N skipped`. Exit code 1 for a run
// that executed nothing.
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

const shownFiles = 10;
const sum = { passed: 0, failed: 0, skipped: 0 };
const files = [];
for (const file of process.argv.slice(2)) {
  const runs = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').map(JSON.parse) : [];
  let executed = 0;
  for (const run of runs) {
    const { passed, failed, skipped } = run;
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped.length;
    executed += passed + failed;
    files.push(...run.files);
    for (const { test, reason } of skipped)
      console.log(`skipped: ${test}${reason === null ? '' : ` (${reason})`}`);
  }
  if (executed === 0) {
    console.log(`${basename(file)}: no test was executed, which counts as a failure`);
    process.exitCode = 1;
  }
}
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
for (const { file, ms, hooksMs } of files.toSorted((a, b) => b.ms - a.ms).slice(0, shownFiles))
  console.log(`slow: ${file} ${seconds(ms)}, of which ${seconds(hooksMs)} before and after its tests`);
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);

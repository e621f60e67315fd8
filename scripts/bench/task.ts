/**
 * What a buildArch task spends its time on, from OPEN to CLOSED: hub calls, solve, install, source package, build,
 * uploads, and what remains for the daemon and the container engine. And what the daemon needs of memory with
 * one and with many tasks. Development hub, real daemon process, real Podman.
 *
 *   npm run bench:task -- [--runs N] [--tasks N] [--json FILE]
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { packageStepOf } from '../../src/buildroot/steps/step-titles.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';
import { BenchHost, machine } from './bench-host.ts';
import { printFigures } from './figures.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    tasks: { type: 'string', default: '10' },
    json: { type: 'string' },
  },
});
const signal = AbortSignal.timeout(20 * 60_000);

interface Run {
  readonly totalMs: number;
  readonly callMs: number;
  readonly calls: number;
  readonly uploadMs: number;
  readonly uploads: number;
  readonly phases: Readonly<Record<string, number>>;
  /** Everything in which neither dnf, rpm nor rpmbuild ran. */
  readonly ownMs: number;
}

const phaseNames = ['solve', 'fetch', 'install', 'source', 'rpmbuild'] as const;

async function submit(): Promise<number> {
  const request: RpcValue[] = [srpm, 'bench-build', machine(), true, { repo_id: repoId }];
  return z.int().parse(await host.client.call('makeTask', ['buildArch', request], { arch: machine() }));
}

/** How long the scripts of a task's steps ran, by kind of step, in milliseconds, as the daemon's log has it. */
async function stepsOf(taskId: number): Promise<Record<string, number>> {
  const Step = z.looseObject({ taskId: z.int(), step: z.string(), ranMs: z.number() });
  const sums: Record<string, number> = {};
  for (const line of await host.logLines()) {
    if (!line.includes('"step done"')) continue;
    const { taskId: of, step, ranMs } = Step.parse(JSON.parse(line));
    if (of !== taskId) continue;
    const kind = packageStepOf(step) ?? (step.startsWith('rpmbuild -') ? 'source' : step);
    sums[kind] = (sums[kind] ?? 0) + ranMs;
  }
  return sums;
}

async function lastTraffic(): Promise<Pick<Run, 'calls' | 'callMs' | 'uploads' | 'uploadMs'>> {
  const Traffic = z.looseObject({
    calls: z.number(),
    callMs: z.number(),
    uploads: z.number(),
    uploadMs: z.number(),
  });
  const lines = (await host.logLines()).filter((line) => line.includes('"session closed"'));
  return Traffic.parse(JSON.parse(lines.at(-1) ?? '{}'));
}

async function timeOne(): Promise<Run> {
  const taskId = await submit();
  const task = await host.ended(taskId);
  // The session is closed after the task is.
  await systemClock.sleep(300, signal);
  const startSeconds = task.start_ts ?? 0;
  const totalMs = ((task.completion_ts ?? 0) - startSeconds) * 1000;
  const phases = await stepsOf(taskId);
  const inside = Object.values(phases).reduce((sum, ms) => sum + ms, 0);
  const { calls, callMs, uploads, uploadMs } = await lastTraffic();
  return { totalMs, calls, callMs, uploads, uploadMs, phases, ownMs: totalMs - inside };
}

/** Highest resident memory of the daemon while so many tasks run at once. */
async function peakMemory(tasks: number): Promise<number> {
  const ids: number[] = [];
  for (let count = 0; count < tasks; count += 1) ids.push(await submit());
  let peak = 0;
  const done = new AbortController();
  const sampling = (async () => {
    while (!done.signal.aborted) {
      peak = Math.max(peak, await host.rssMib());
      await systemClock.sleep(100, done.signal).catch(() => undefined);
    }
  })();
  for (const id of ids) await host.ended(id);
  done.abort();
  await sampling;
  return peak;
}

await using host = await BenchHost.start(signal);
const srpm = await host.client.uploadFile(
  join(host.distribution, 'srpms/hello-1.0-1.td1.src.rpm'),
  `cli-build/${crypto.randomUUID()}`,
  signal,
);
await host.makeRepo();
const repoId = await host.repoId();
const idleMib = await host.rssMib();
const cold: Run[] = [];
const warm: Run[] = [];
for (let count = 0; count < Number(values.runs); count += 1) {
  await host.forget();
  cold.push(await timeOne());
  // The first root is kept in the background; a task that follows at once would measure that.
  await host.logged('snapshot saved', count + 1);
  warm.push(await timeOne());
}
const oneMib = await peakMemory(1);
const manyMib = await peakMemory(Number(values.tasks));

const rows = (runs: readonly Run[]) => [
  ['open to close', runs.map((one) => one.totalMs)] as const,
  ...phaseNames.map((name) => [`${name} script`, runs.map((one) => one.phases[name] ?? 0)] as const),
  ['hub calls', runs.map((one) => one.callMs)] as const,
  ['uploads', runs.map((one) => one.uploadMs)] as const,
  ['own share (no dnf, rpm or rpmbuild, no fetch)', runs.map((one) => one.ownMs)] as const,
];
const figures = {
  cold: printFigures(`buildArch of hello, nothing prepared, ${cold.length} runs, seconds`, rows(cold)),
  warm: printFigures(`buildArch of hello, its root is kept, ${warm.length} runs, seconds`, rows(warm)),
};
console.log(`\nhub calls ${warm.at(-1)?.calls}, uploads ${warm.at(-1)?.uploads}`);
console.log(
  `daemon memory, MiB resident: idle ${idleMib.toFixed(0)}, peak with 1 task ${oneMib.toFixed(0)}, with ${values.tasks} tasks ${manyMib.toFixed(0)}`,
);
if (values.json !== undefined) {
  const report = {
    cold,
    warm,
    milliseconds: figures,
    memoryMib: { idle: idleMib, one: oneMib, many: manyMib, tasks: Number(values.tasks) },
  };
  await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

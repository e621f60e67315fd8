/**
 * How long a repo of the test distribution takes: newRepo from creation to its end, its createrepo child, and, on the
 * same package list and in the same image, bare `createrepo_c`, by turns. Development hub, real daemon process, real
 * Podman. As in everyday work each repo takes over the metadata of the one before.
 *
 *   npm run bench:repo -- [--runs N] [--json FILE]
 */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { BenchHost, machine, type Task } from './bench-host.ts';
import { median, printFigures } from './figures.ts';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '5' }, json: { type: 'string' } },
});

/** What a createrepo task may take: so many times bare createrepo_c, and so much more. */
const allowedFactor = 1.3;
const allowedMs = 500;

interface Run {
  readonly newRepoMs: number;
  readonly newRepoOpenMs: number;
  readonly waitMs: number;
  readonly createrepoMs: number;
  readonly bareMs: number;
}

const openMs = ({ start_ts: start, completion_ts: end }: Task) => ((end ?? 0) - (start ?? 0)) * 1000;

/** createrepo_c alone, timed inside its container, with the metadata of an older repo as the task has it. */
function bareMs(repo: number, old: number): number {
  const place = (id: number) => `/koji/repos/bench-build/${id}`;
  const script = [
    `cp -r ${place(old)}/${machine()}/repodata /tmp/repodata`,
    'started=${EPOCHREALTIME/./}',
    `createrepo_c --error-exit-val -vd -o /tmp -i ${place(repo)}/${machine()}/pkglist` +
      ` -g ${place(repo)}/groups/comps.xml --update --skip-stat ${place(repo)}/${machine()} >/dev/null 2>&1`,
    'echo $(((${EPOCHREALTIME/./} - started) / 1000))',
  ];
  const container = [
    'run',
    '--rm',
    '--network',
    'none',
    '--volume',
    `${host.hub.topdir}:/koji:ro`,
    host.image,
  ];
  const podman = ['--url', `unix://${host.socket}`, ...container, 'bash', '-ec', script.join('\n')];
  return Number(execFileSync('podman', podman, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}

async function timeOne(): Promise<Run> {
  const old = await host.repoId();
  const task = await host.makeRepo();
  const [child] = await host.children(task.id);
  if (child === undefined) throw new Error('newRepo has made no createrepo task');
  return {
    newRepoMs: ((task.completion_ts ?? 0) - task.create_ts) * 1000,
    newRepoOpenMs: openMs(task),
    waitMs: ((child.start_ts ?? 0) - child.create_ts) * 1000,
    createrepoMs: openMs(child),
    bareMs: bareMs(await host.repoId(), old),
  };
}

await using host = await BenchHost.start(AbortSignal.timeout(20 * 60_000));
// The first one has no older metadata to take over, and warms the caches.
await host.makeRepo();
const runs: Run[] = [];
for (let count = 0; count < Number(values.runs); count += 1) runs.push(await timeOne());

const figures = printFigures(`newRepo of the test distribution, ${runs.length} runs, seconds`, [
  ['newRepo, create to close', runs.map((one) => one.newRepoMs)],
  ['newRepo, open to close', runs.map((one) => one.newRepoOpenMs)],
  ['createrepo, create to open', runs.map((one) => one.waitMs)],
  ['createrepo, open to close', runs.map((one) => one.createrepoMs)],
  ['bare createrepo_c', runs.map((one) => one.bareMs)],
]);
const taskMs = median(runs.map((one) => one.createrepoMs));
const limitMs = allowedFactor * median(runs.map((one) => one.bareMs)) + allowedMs;
console.log(
  `\ncreaterepo ${(taskMs / 1000).toFixed(2)} s of ${(limitMs / 1000).toFixed(2)} s allowed (${allowedFactor} x bare + ${allowedMs / 1000} s): ${taskMs <= limitMs ? 'kept' : 'missed'}`,
);
if (values.json !== undefined) {
  const report = { runs, milliseconds: figures, createrepo: { taskMs, limitMs, kept: taskMs <= limitMs } };
  await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

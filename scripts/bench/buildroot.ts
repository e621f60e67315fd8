/**
 * How fast a pristine buildroot is there: buildArch of hello from the moment its task is opened to rpmbuild's first
 * line, cold, warm, and with packages to be added; beside it what the same takes without containers. And what happens
 * when many are wanted at once. Each run builds a source package that is new to every cache. Development hub, real
 * daemon process, real Podman.
 *
 *   npm run bench:buildroot -- [--runs N] [--many N] [--at-once N] [--json FILE]
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { z } from 'zod';
import { workerLabel } from '../../src/container/labels.ts';
import { parseWritableLayers } from '../../src/container/podman/limits/disk-usage.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';
import { installWithDnf, mountAndEnter } from './bare-root.ts';
import { BenchHost, machine, type Task } from './bench-host.ts';
import { DaemonLog } from './daemon-log.ts';
import { median, printFigures } from './figures.ts';
import { FreshSrpms, type SrpmChanges } from './fresh-srpm.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    many: { type: 'string', default: '50' },
    'at-once': { type: 'string', default: '10' },
    json: { type: 'string' },
  },
});
const runs = Number(values.runs);
// Never the synchronous one: the hub lives in this process.
const run = promisify(execFile);
const signal = AbortSignal.timeout(60 * 60_000);

/** What is asked of it. */
const limits = { warmMs: 800, addedMs: 2000, timesFaster: 8, overDnf: 1.35 };

/** Added to the group's root: these and what they need, at most 15 packages. */
const added = ['leaf-a', 'leaf-tool', 'leaf-data', 'leaf-macros', 'sqlite3', 'hostname', 'foo-devel'];

async function submit(changes?: SrpmChanges): Promise<number> {
  const srpm = await srpms.upload(changes);
  const request: RpcValue[] = [srpm, 'bench-build', machine(), true, { repo_id: repoId }];
  return z.int().parse(await host.client.call('makeTask', ['buildArch', request], { arch: machine() }));
}

async function build(changes?: SrpmChanges): Promise<Task> {
  const task = await host.ended(await submit(changes));
  // The session is closed, and the log written, after the task has ended.
  await systemClock.sleep(300, signal);
  return task;
}

const log = async () => new DaemonLog(await host.logLines());
const openMs = ({ start_ts: start, completion_ts: end }: Task) => ((end ?? 0) - (start ?? 0)) * 1000;

const snapshots = () => join(host.stateDir, 'cache/snapshots');
const imageOf = (key: string) => {
  const area = createHash('sha256').update(snapshots()).digest('hex').slice(0, 12);
  return `localhost/koji-adjutant-root-${area}:${key}`;
};

/** Removes prepared roots, all or those with more than the group, when they have been kept; packages stay. */
async function forgetRoots(which: 'all' | 'with build requirements'): Promise<void> {
  await host.logged('snapshot saved', kept);
  for (const name of await readdir(snapshots())) {
    const { key, title } = z
      .looseObject({ key: z.string(), title: z.string() })
      .parse(JSON.parse(await readFile(join(snapshots(), name), 'utf8')));
    if (which !== 'all' && title.startsWith('@')) continue;
    await rm(join(snapshots(), name));
    await run('podman', ['--url', `unix://${host.socket}`, 'rmi', '--force', imageOf(key)]);
  }
  if (which === 'all') await rm(join(host.stateDir, 'cache/solutions'), { recursive: true, force: true });
}

/** Bytes on the disk that the container of a running build has written: the most that was seen. Only root sees them. */
async function changedBytes(): Promise<number> {
  const taskId = await submit({ sleepSeconds: 3 });
  const of = (label: string, value: string | number) => ['--filter', `label=${label}=${value}`];
  const filters = [...of(workerLabel, 'bench-builder'), ...of('io.koji.adjutant.task_id', taskId)];
  const command = ['--url', `unix://${host.socket}`, 'ps', '--format', 'json', ...filters];
  const Running = z.array(z.looseObject({ Pid: z.int() }));
  let most = 0;
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      // It may have ended meanwhile.
      for (const { Pid } of Running.parse(JSON.parse((await run('podman', command)).stdout)))
        most = Math.max(most, await writtenBytes(Pid).catch(() => 0));
      await systemClock.sleep(300, signal);
    }
  })();
  await host.ended(taskId);
  over.abort();
  await watching;
  if (most === 0) throw new Error('the disk use of a running build was not seen; this benchmark wants root');
  return most;
}

async function writtenBytes(pid: number): Promise<number> {
  const layers = parseWritableLayers(await readFile(`/proc/${pid}/mountinfo`, 'utf8'));
  const { stdout } = await run('du', ['--summarize', '--total', '--block-size=1', '--', ...layers]);
  return Number(/^(\d+)\ttotal$/m.exec(stdout)?.[1]);
}

/** So many tasks at once; from opening to first line, each. */
async function together(count: number): Promise<readonly number[]> {
  const ids: number[] = [];
  for (let made = 0; made < count; made += 1) ids.push(await submit());
  const tasks: Task[] = [];
  for (const id of ids) tasks.push(await host.ended(id));
  await systemClock.sleep(300, signal);
  const lines = await log();
  return tasks.map((task) => lines.untilFirstLine(task));
}

await using host = await BenchHost.start(signal);
const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-bench-'));
await using cleanup = new AsyncDisposableStack();
cleanup.defer(() => rm(directory, { recursive: true, force: true }));
// Images would outlive the records of them.
cleanup.defer(() => host.forget());
const srpms = new FreshSrpms(host, join(directory, 'rpmbuild'), signal);
await host.makeRepo();
const repoId = await host.repoId();
const repoUrl = `${host.hub.filesUrl}/repos/bench-build/${repoId}/${machine()}`;
/** How many roots the daemon has kept so far. */
let kept = 0;

// Fetches the packages; every later cold run finds them in the cache, as dnf does.
const first = await build();
kept += 1;
await installWithDnf(join(directory, 'dnf'), repoUrl, ['@build', 'gcc', 'make']);

const cold: { prepareMs: number; openMs: number; rootMs: number; commitMs: number; dnfMs: number }[] = [];
const warm: { prepareMs: number; openMs: number; floorMs: number }[] = [];
const addedRuns: { prepareMs: number; solveMs: number; installMs: number }[] = [];
let rootBytes = 0;
for (let round = 0; round < runs; round += 1) {
  await forgetRoots('all');
  const task = await build();
  kept += 1;
  await host.logged('snapshot saved', kept);
  const lines = await log();
  const commit = lines.commit(task.id);
  rootBytes = commit.ownBytes;
  cold.push({
    prepareMs: lines.untilFirstLine(task),
    openMs: openMs(task),
    rootMs: lines.stepsMs(task.id, 'solve') + lines.stepsMs(task.id, 'install'),
    commitMs: commit.tookMs,
    dnfMs: await installWithDnf(join(directory, 'dnf'), repoUrl, ['@build', 'gcc', 'make']),
  });

  const again = await build();
  const then = await log();
  const [name = ''] = await readdir(snapshots());
  const mountMs = await mountAndEnter(host.socket, imageOf(name.replace('.json', '')));
  warm.push({
    prepareMs: then.untilFirstLine(again),
    openMs: openMs(again),
    floorMs: mountMs + then.lastCallsMs(),
  });

  // Another request each time: dnf has to look, and nothing but the group's root is there.
  const wanting = await build({ requires: [...added, `bash >= 0.${round + 1}`] });
  kept += 1;
  const last = await log();
  addedRuns.push({
    prepareMs: last.untilFirstLine(wanting),
    solveMs: last.stepsMs(wanting.id, 'solve'),
    installMs: last.stepsMs(wanting.id, 'install'),
  });
  await forgetRoots('with build requirements');
}

const taskBytes = await changedBytes();
const concurrent: Record<number, readonly number[]> = {};
for (const count of [1, 4, 8]) concurrent[count] = await together(count);
const manyMs: number[] = [];
for (let count = 0; count < Number(values.many); count += 1) {
  const task = await build();
  manyMs.push((await log()).untilFirstLine(task));
}
const atOnce = await together(Number(values['at-once']));

const figures = printFigures(`buildArch of hello, ${runs} runs each, seconds`, [
  ['first build ever, opened to first line', [(await log()).untilFirstLine(first)]],
  ['cold, opened to first line', cold.map((one) => one.prepareMs)],
  ['cold, opened to closed', cold.map((one) => one.openMs)],
  ['cold, solve and install', cold.map((one) => one.rootMs)],
  ['dnf --installroot on this host', cold.map((one) => one.dnfMs)],
  ['cold, root kept after (in the background)', cold.map((one) => one.commitMs)],
  ['warm, opened to first line', warm.map((one) => one.prepareMs)],
  ['warm, opened to closed', warm.map((one) => one.openMs)],
  ['floor: overlay mount, chroot, hub calls', warm.map((one) => one.floorMs)],
  ['packages added, opened to first line', addedRuns.map((one) => one.prepareMs)],
  ['packages added, solve', addedRuns.map((one) => one.solveMs)],
  ['packages added, install', addedRuns.map((one) => one.installMs)],
  ...Object.entries(concurrent).map(
    ([count, all]) => [`${count} warm at once, opened to first line`, all] as const,
  ),
  [`${manyMs.length} warm one after another`, manyMs],
  [`${atOnce.length} warm at once`, atOnce],
]);

const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(2);
console.log(
  `\ndisk: ${mib(rootBytes)} MiB for the root, once; ${Math.round(taskBytes / 1024)} KiB written by a task\n`,
);
const of = (all: readonly number[]) => median(all);
const verdicts = [
  ['warm, seconds', of(warm.map((one) => one.prepareMs)) / 1000, '<=', limits.warmMs / 1000],
  [
    'warm, times faster than cold',
    of(cold.map((one) => one.prepareMs)) / of(warm.map((one) => one.prepareMs)),
    '>=',
    limits.timesFaster,
  ],
  ['packages added, seconds', of(addedRuns.map((one) => one.prepareMs)) / 1000, '<=', limits.addedMs / 1000],
  [
    'cold solve and install, times dnf on this host',
    of(cold.map((one) => one.rootMs)) / of(cold.map((one) => one.dnfMs)),
    '<=',
    limits.overDnf,
  ],
  ['4 at once, times one', of(concurrent[4] ?? []) / of(concurrent[1] ?? []), '<=', 4],
  ['8 at once, times one', of(concurrent[8] ?? []) / of(concurrent[1] ?? []), '<=', 8],
] as const;
for (const [what, found, sign, limit] of verdicts) {
  const isKept = sign === '<=' ? found <= limit : found >= limit;
  console.log(
    `${what.padEnd(48)}${found.toFixed(2).padStart(7)}  ${sign} ${limit}  ${isKept ? 'kept' : 'missed'}`,
  );
}
if (values.json !== undefined) {
  const report = { cold, warm, added: addedRuns, concurrent, manyMs, atOnce, rootBytes, taskBytes };
  await writeFile(
    values.json,
    `${JSON.stringify({ ...report, milliseconds: figures, verdicts }, null, 2)}\n`,
  );
}

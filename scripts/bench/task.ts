/**
 * What a buildArch task spends its time on, from OPEN to CLOSED: hub calls, fetch, install, source package, build,
 * uploads, and what is left over for the daemon and the container engine. And what the daemon needs of memory with
 * one and with many tasks. Development hub, real daemon process, real Podman.
 *
 *   npm run bench:task -- [--runs N] [--tasks N] [--json FILE]
 *
 * Needs what `scripts/setup.sh --with-test-tools` makes; the test distribution is made when it is missing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { HubClient } from '../../src/devhub/client.ts';
import { runDevHub } from '../../src/devhub/run.ts';
import { seedDevHub } from '../../src/devhub/seed.ts';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    tasks: { type: 'string', default: '10' },
    json: { type: 'string' },
  },
});
const root = join(import.meta.dirname, '..', '..');
const signal = AbortSignal.timeout(20 * 60_000);

const TaskRow = z.looseObject({
  id: z.int(),
  state: z.int(),
  start_ts: z.number().nullable(),
  completion_ts: z.number().nullable(),
});

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

const phaseNames = ['fetch', 'install', 'source', 'rpmbuild'] as const;

class Bench implements AsyncDisposable {
  readonly #cleanup = new AsyncDisposableStack();
  readonly client: HubClient;
  readonly logPath: string;
  readonly pid: number;

  private constructor(client: HubClient, logPath: string, pid: number) {
    this.client = client;
    this.logPath = logPath;
    this.pid = pid;
  }

  static async start(): Promise<Bench> {
    const distro = run('ensure-test-distribution.sh').split('\n').at(-1) ?? '';
    run('setup.sh', '--quiet', '--with-test-tools');
    run('engine.sh', 'start');
    const socket = run('engine.sh', 'socket');
    const dir = await mkdtemp(join(tmpdir(), 'koji-adjutant-bench-'));
    const hub = await runDevHub({ dir: join(dir, 'hub'), port: 0, clock: systemClock });
    await seedDevHub(hub, {
      distroRepo: join(distro, 'repo'),
      tagName: 'bench',
      arches: machine(),
      extra: { 'rpm.macro.dist': '.td1' },
      packages: ['hello'],
      builder: { name: 'bench-builder', password: 'builder', capacity: 100 },
      client: { name: 'client', password: 'client' },
    });
    const config = join(dir, 'kojid.conf');
    const lines = [
      '[kojid]',
      `server = ${hub.url}`,
      `topurl = ${hub.filesUrl}`,
      `topdir = ${hub.topdir}`,
      `workdir = ${join(dir, 'work')}`,
      'user = bench-builder',
      'password = builder',
      'sleeptime = 1',
      'maxjobs = 50',
      'minspace = 1',
    ];
    await writeFile(config, `${lines.join('\n')}\n`);
    const logPath = join(dir, 'daemon.log');
    const log = createWriteStream(logPath);
    const daemon = spawn(process.execPath, [join(root, 'dist/cli.js'), '-c', config, '--fg', '-v'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CONTAINER_HOST: `unix://${socket}` },
    });
    daemon.stdout.pipe(log, { end: false });
    daemon.stderr.pipe(log, { end: false });
    if (daemon.pid === undefined) throw new Error('the daemon did not start');
    const client = new HubClient(hub.url);
    await client.login('client', 'client');
    const bench = new Bench(client, logPath, daemon.pid);
    bench.#cleanup.defer(async () => rm(dir, { recursive: true, force: true }));
    bench.#cleanup.defer(async () => hub.close());
    bench.#cleanup.defer(async () => {
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGTERM');
      await ended;
    });
    bench.srpm = await client.uploadFile(
      join(distro, 'srpms/hello-1.0-1.td1.src.rpm'),
      `cli-build/${crypto.randomUUID()}`,
      signal,
    );
    const repoTask = z
      .int()
      .parse(await client.call('makeTask', ['newRepo', ['bench-build']], { channel: 'createrepo' }));
    await bench.ended(repoTask);
    const repo = z.looseObject({ id: z.int() }).parse(await client.call('getRepo', ['bench-build']));
    bench.repoId = repo.id;
    return bench;
  }

  srpm = '';
  repoId = 0;

  async submit(): Promise<number> {
    const request: RpcValue[] = [this.srpm, 'bench-build', machine(), true, { repo_id: this.repoId }];
    return z.int().parse(await this.client.call('makeTask', ['buildArch', request], { arch: machine() }));
  }

  async ended(taskId: number): Promise<z.infer<typeof TaskRow>> {
    for (;;) {
      const task = TaskRow.parse(await this.client.call('getTaskInfo', [taskId]));
      if (task.state === 2) return task;
      if (task.state === 3 || task.state === 5) {
        await this.client.call('getTaskResult', [taskId]);
        throw new Error(`task ${taskId} did not succeed`);
      }
      await systemClock.sleep(100, signal);
    }
  }

  /** How long the scripts of a task's steps ran, by kind of step, in milliseconds, as the daemon's log has it. */
  async steps(taskId: number): Promise<Record<string, number>> {
    const Step = z.looseObject({ taskId: z.int(), step: z.string(), ranMs: z.number() });
    const sums: Record<string, number> = {};
    for (const line of (await readFile(this.logPath, 'utf8')).split('\n')) {
      if (!line.includes('"step done"')) continue;
      const { taskId: of, step, ranMs } = Step.parse(JSON.parse(line));
      if (of !== taskId) continue;
      const kind = step.startsWith('rpmbuild -') ? 'source' : (step.split(' ')[0] ?? '');
      sums[kind] = (sums[kind] ?? 0) + ranMs;
    }
    return sums;
  }

  async lastTraffic(): Promise<{ calls: number; callMs: number; uploads: number; uploadMs: number }> {
    const Traffic = z.looseObject({
      calls: z.number(),
      callMs: z.number(),
      uploads: z.number(),
      uploadMs: z.number(),
    });
    const lines = (await readFile(this.logPath, 'utf8'))
      .split('\n')
      .filter((line) => line.includes('"session closed"'));
    return Traffic.parse(JSON.parse(lines.at(-1) ?? '{}'));
  }

  async rssMib(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}

async function timeOne(bench: Bench): Promise<Run> {
  const taskId = await bench.submit();
  const task = await bench.ended(taskId);
  // The session is closed after the task is.
  await systemClock.sleep(300, signal);
  const startSeconds = task.start_ts ?? 0;
  const totalMs = ((task.completion_ts ?? 0) - startSeconds) * 1000;
  const phases = await bench.steps(taskId);
  const inside = Object.values(phases).reduce((sum, ms) => sum + ms, 0);
  const { calls, callMs, uploads, uploadMs } = await bench.lastTraffic();
  return { totalMs, calls, callMs, uploads, uploadMs, phases, ownMs: totalMs - inside };
}

/** Highest resident memory of the daemon while so many tasks run at once. */
async function peakMemory(bench: Bench, tasks: number): Promise<number> {
  const ids: number[] = [];
  for (let count = 0; count < tasks; count += 1) ids.push(await bench.submit());
  let peak = 0;
  const done = new AbortController();
  const sampling = (async () => {
    while (!done.signal.aborted) {
      peak = Math.max(peak, await bench.rssMib());
      await systemClock.sleep(100, done.signal).catch(() => undefined);
    }
  })();
  for (const id of ids) await bench.ended(id);
  done.abort();
  await sampling;
  return peak;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function run(script: string, ...args: readonly string[]): string {
  return execFileSync(join(root, 'scripts', script), args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

function machine(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}

await using bench = await Bench.start();
const idleMib = await bench.rssMib();
const runs: Run[] = [];
for (let count = 0; count < Number(values.runs); count += 1) runs.push(await timeOne(bench));
const oneMib = await peakMemory(bench, 1);
const manyMib = await peakMemory(bench, Number(values.tasks));

const rows: [string, (run: Run) => number][] = [
  ['open to close', (one) => one.totalMs],
  ...phaseNames.map((name): [string, (run: Run) => number] => [
    `${name} script`,
    (one) => one.phases[name] ?? 0,
  ]),
  ['hub calls', (one) => one.callMs],
  ['uploads', (one) => one.uploadMs],
  ['own share (no dnf, rpm or rpmbuild running)', (one) => one.ownMs],
];
const seconds = (ms: number) => (ms / 1000).toFixed(2).padStart(8);
console.log(`\nbuildArch of hello, cold root, ${runs.length} runs, seconds\n`);
console.log(`${''.padEnd(46)}${'median'.padStart(8)}${'min'.padStart(8)}${'max'.padStart(8)}`);
const figures: Record<string, { median: number; min: number; max: number }> = {};
for (const [name, of] of rows) {
  const all = runs.map(of);
  figures[name] = { median: median(all), min: Math.min(...all), max: Math.max(...all) };
  console.log(
    `${name.padEnd(46)}${seconds(median(all))}${seconds(Math.min(...all))}${seconds(Math.max(...all))}`,
  );
}
console.log(`\nhub calls ${runs.at(-1)?.calls}, uploads ${runs.at(-1)?.uploads}`);
console.log(
  `daemon memory, MiB resident: idle ${idleMib.toFixed(0)}, peak with 1 task ${oneMib.toFixed(0)}, with ${values.tasks} tasks ${manyMib.toFixed(0)}`,
);
if (values.json !== undefined) {
  const report = {
    runs,
    milliseconds: figures,
    memoryMib: { idle: idleMib, one: oneMib, many: manyMib, tasks: Number(values.tasks) },
  };
  await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

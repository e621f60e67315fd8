import { execFile, execFileSync, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { HubClient } from '../../src/devhub/client.ts';
import { type RunningDevHub, runDevHub } from '../../src/devhub/run.ts';
import { seedDevHub } from '../../src/devhub/seed.ts';

const root = join(import.meta.dirname, '..', '..');

const TaskRow = z.looseObject({
  id: z.int(),
  method: z.string(),
  state: z.int(),
  create_ts: z.number(),
  start_ts: z.number().nullable(),
  completion_ts: z.number().nullable(),
});

/** A task as the hub knows it; times in seconds since 1970. */
export type Task = z.infer<typeof TaskRow>;

/**
 * What a benchmark measures: a development hub with the test distribution in tag `bench-build`, and a real daemon
 * with real Podman that works for it. Needs what `scripts/setup.sh --with-test-tools` makes, and makes what is missing.
 */
export class BenchHost implements AsyncDisposable {
  readonly hub: RunningDevHub;
  readonly client: HubClient;
  /** Directory of the test distribution. */
  readonly distribution: string;
  /** Socket of the Podman service. */
  readonly socket: string;
  readonly image: string;
  /** The daemon's area, with what it has prepared before below `cache`. */
  readonly stateDir: string;
  readonly #pid: number;
  readonly #config: string;
  readonly #logPath: string;
  readonly #signal: AbortSignal;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(
    parts: Pick<BenchHost, 'hub' | 'client' | 'distribution' | 'socket' | 'stateDir'>,
    daemon: { readonly pid: number; readonly config: string; readonly logPath: string },
    signal: AbortSignal,
    cleanup: AsyncDisposableStack,
  ) {
    this.hub = parts.hub;
    this.client = parts.client;
    this.distribution = parts.distribution;
    this.socket = parts.socket;
    this.stateDir = parts.stateDir;
    this.image = `localhost/koji-adjutant-bootstrap:${machine()}`;
    this.#pid = daemon.pid;
    this.#config = daemon.config;
    this.#logPath = daemon.logPath;
    this.#signal = signal;
    this.#cleanup = cleanup;
  }

  static async start(signal: AbortSignal): Promise<BenchHost> {
    const distribution = script('ensure-test-distribution.sh').split('\n').at(-1) ?? '';
    script('setup.sh', '--quiet', '--with-test-tools');
    script('engine.sh', 'start');
    const socket = script('engine.sh', 'socket');
    const dir = await mkdtemp(join(tmpdir(), 'koji-adjutant-bench-'));
    const hub = await runDevHub({ dir: join(dir, 'hub'), port: 0, clock: systemClock });
    await seedDevHub(hub, {
      distroRepo: join(distribution, 'repo'),
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
      'failed_buildroot_lifetime = 0',
    ];
    await writeFile(config, `${lines.join('\n')}\n`);
    const logPath = join(dir, 'daemon.log');
    const log = createWriteStream(logPath);
    const daemon = spawn(join(root, 'bin/koji-adjutant'), ['-c', config, '--fg', '-v'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CONTAINER_HOST: `unix://${socket}` },
    });
    daemon.stdout.pipe(log, { end: false });
    daemon.stderr.pipe(log, { end: false });
    if (daemon.pid === undefined) throw new Error('the daemon did not start');
    const client = new HubClient(hub.url);
    await client.login('client', 'client');
    const cleanup = new AsyncDisposableStack();
    cleanup.defer(async () => rm(dir, { recursive: true, force: true }));
    cleanup.defer(async () => hub.close());
    cleanup.defer(async () => {
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGTERM');
      await ended;
    });
    return new BenchHost(
      { hub, client, distribution, socket, stateDir: join(dir, 'work/adjutant') },
      { pid: daemon.pid, config, logPath },
      signal,
      cleanup,
    );
  }

  /** Removes all that the daemon keeps for later builds, so that the next one is cold. No task may run. */
  async forget(): Promise<void> {
    const command = [join(root, 'dist/cli.js'), 'cache', 'trim', '--all', '-c', this.#config];
    // Not the synchronous one: the hub lives in this process.
    await promisify(execFile)(process.execPath, command, {
      env: { ...process.env, CONTAINER_HOST: `unix://${this.socket}` },
    });
  }

  /** Makes a repo of `bench-build` and gives the task that did it. */
  async makeRepo(): Promise<Task> {
    const made = await this.client.call('makeTask', ['newRepo', ['bench-build']], { channel: 'createrepo' });
    return this.ended(z.int().parse(made));
  }

  /** Id of the current repo of `bench-build`. */
  async repoId(): Promise<number> {
    return z.looseObject({ id: z.int() }).parse(await this.client.call('getRepo', ['bench-build'])).id;
  }

  /** Resolves when the task is closed; rejects with its fault when it fails. */
  async ended(taskId: number): Promise<Task> {
    for (;;) {
      const task = TaskRow.parse(await this.client.call('getTaskInfo', [taskId]));
      if (task.state === 2) return task;
      if (task.state === 3 || task.state === 5) {
        await this.client.call('getTaskResult', [taskId]);
        throw new Error(`task ${taskId} did not succeed`);
      }
      await systemClock.sleep(100, this.#signal);
    }
  }

  async children(taskId: number): Promise<readonly Task[]> {
    return z.array(TaskRow).parse(await this.client.call('getTaskChildren', [taskId]));
  }

  /** The daemon's log so far, one line each. */
  async logLines(): Promise<readonly string[]> {
    return (await readFile(this.#logPath, 'utf8')).split('\n');
  }

  /** Resolves when the daemon has logged a message so many times. */
  async logged(message: string, times: number): Promise<void> {
    while ((await this.logLines()).filter((line) => line.includes(`"${message}"`)).length < times)
      await systemClock.sleep(100, this.#signal);
  }

  /** Resident memory of the daemon. */
  async rssMib(): Promise<number> {
    const status = await readFile(`/proc/${this.#pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}

/** Koji's name of this machine's arch. */
export function machine(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}

function script(name: string, ...args: readonly string[]): string {
  return execFileSync(join(root, 'scripts', name), args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

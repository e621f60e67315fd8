import { rmSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { printableLines } from '../core/printable.ts';
import { HubClient, type WatchedTask } from '../devhub/client.ts';
import { taskState } from '../devhub/rows.ts';
import { type RunningDevHub, runDevHub } from '../devhub/run.ts';
import { seedDevHub } from '../devhub/seed.ts';
import { HubFault } from '../hub/faults.ts';
import { fileSize, lastLines, paint, seconds } from '../terminal/progress-view.ts';
import type { Screen } from '../terminal/screen.ts';
import { DaemonProcess } from './daemon-process.ts';
import { Progress } from './progress.ts';
import { keepLogs, keepPackages, tellingLog } from './results.ts';

export interface DemoOptions {
  /** The source package to build. */
  readonly srpm: string;
  /** The test distribution's `repo` directory. */
  readonly distroRepo: string;
  /** Made by the demo; packages and logs stay in it. */
  readonly dir: string;
  /** Name of the builder: no other that uses the same container engine may have it. */
  readonly builder: string;
  readonly arch: string;
  /** How the daemon is started. */
  readonly daemon: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

const tagName = 'demo';
const client = { name: 'demo', password: 'demo' };
/** The test distribution's own, so that its source packages keep their names. */
const dist = '.td1';
const drawEveryMs = 150;

/**
 * One scratch build from beginning to end: a development hub with the test distribution, the real daemon, a
 * repository, the build. Resolves with true when the build is done, with false when it has failed; rejects when
 * something else goes wrong, or with the signal's reason. Nothing runs any more when it settles.
 */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const { dir, clock, signal } = options;
  const startedMs = clock.now();
  await mkdir(join(dir, 'logs'), { recursive: true });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => removeWorkFiles(dir));
  const hub = cleanup.use(await runDevHub({ dir: join(dir, 'hub'), port: 0, clock }));
  await seed(hub, options);
  signal.throwIfAborted();
  const daemon = cleanup.use(await startDaemon(hub, options));
  return await daemon.whileRunning(
    (watched) => build(hub, daemon, { ...options, signal: watched }, startedMs),
    signal,
  );
}

/** Removes from a demo's directory all but its packages and logs. */
export function removeWorkFiles(dir: string): void {
  for (const name of ['hub', 'work', 'kojid.conf']) rmSync(join(dir, name), { recursive: true, force: true });
}

async function seed(hub: RunningDevHub, { distroRepo, arch, builder, screen }: DemoOptions): Promise<void> {
  await seedDevHub(hub, {
    distroRepo,
    tagName,
    arches: arch,
    extra: { 'rpm.macro.dist': dist },
    packages: [],
    builder: { name: builder, password: builder, capacity: 4 },
    client,
  });
  const packages = await hub.change(({ state }) => state.tables.rpms.all().length);
  screen.print(`  hub      ${hub.url}, with ${packages} packages`);
}

async function startDaemon(hub: RunningDevHub, options: DemoOptions): Promise<DaemonProcess> {
  const { dir, builder, clock, env } = options;
  const configPath = join(dir, 'kojid.conf');
  const config = {
    server: hub.url,
    topurl: hub.filesUrl,
    topdir: hub.topdir,
    user: builder,
    password: builder,
    workdir: join(dir, 'work'),
    minspace: 1024,
    failed_buildroot_lifetime: 0,
    sleeptime: 2,
    vendor: 'Koji Adjutant demo',
    packager: 'Koji Adjutant demo',
    distribution: 'Koji Adjutant demo',
  };
  const lines = Object.entries(config).map(([key, value]) => `${key} = ${value}\n`);
  await writeFile(configPath, `[kojid]\n${lines.join('')}`, { mode: 0o600 });
  const logPath = join(dir, 'logs', 'daemon.log');
  return new DaemonProcess({ command: options.daemon, configPath, logPath, env, clock });
}

async function build(
  hub: RunningDevHub,
  daemon: DaemonProcess,
  options: DemoOptions,
  startedMs: number,
): Promise<boolean> {
  const { clock, screen, signal, srpm } = options;
  const sinceMs = clock.now();
  await untilReady(hub, clock, signal);
  screen.print(`  daemon   process ${daemon.pid}, ready after ${seconds(clock.now() - sinceMs)}\n`);

  const user = new HubClient(hub.url);
  await user.login(client.name, client.password);
  const watch = new Watch(hub, user, daemon, options);
  const repo = await watch.untilEnd(await requestRepo(user));
  if (repo.state === taskState.CLOSED) {
    const started = clock.now();
    const tree = await watch.untilEnd(await user.buildSrpm(srpm, tagName, { scratch: true }, signal));
    await watch.finish();
    await keepLogs(hub.topdir, tree, join(options.dir, 'logs'));
    if (tree.state === taskState.CLOSED) {
      await tellSuccess(hub, tree, options, clock.now() - started, clock.now() - startedMs);
      return true;
    }
    await tellFailure(hub, user, tree, options);
    return false;
  }
  await watch.finish();
  await keepLogs(hub.topdir, repo, join(options.dir, 'logs'));
  await tellFailure(hub, user, repo, options);
  return false;
}

async function untilReady(hub: RunningDevHub, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!(await hub.change(({ state }) => state.tables.hosts.all().some((host) => host.ready))))
    await clock.sleep(50, signal);
}

const RepoAnswer = z.object({ request: z.looseObject({ id: z.int() }) });
const RequestAnswer = z.looseObject({ request: z.looseObject({ task_id: z.int() }) });

/** Asks for a repository of the build tag as any client does; gives the id of the newRepo task. */
async function requestRepo(user: HubClient): Promise<number> {
  const { request } = RepoAnswer.parse(await user.call('repo.request', [`${tagName}-build`]));
  return RequestAnswer.parse(await user.call('repo.checkRequest', [request.id])).request.task_id;
}

/** The tasks of the demo, one after another, on the screen. */
class Watch {
  readonly #user: HubClient;
  readonly #daemon: DaemonProcess;
  readonly #options: DemoOptions;
  readonly #progress: Progress;
  #trees: readonly WatchedTask[] = [];

  constructor(hub: RunningDevHub, user: HubClient, daemon: DaemonProcess, options: DemoOptions) {
    this.#user = user;
    this.#daemon = daemon;
    this.#options = options;
    this.#progress = new Progress(hub.topdir, options.clock);
  }

  async untilEnd(taskId: number): Promise<WatchedTask> {
    const { clock, screen, signal } = this.#options;
    const before = this.#trees;
    for (;;) {
      const tree = await this.#user.taskTree(taskId);
      this.#trees = [...before, tree];
      screen.show(await this.#frame());
      if (tree.state !== taskState.FREE && tree.state !== taskState.ASSIGNED && tree.state !== taskState.OPEN)
        return tree;
      await clock.sleep(drawEveryMs, signal);
    }
  }

  async finish(): Promise<void> {
    this.#options.screen.finish(await this.#frame());
  }

  async #frame() {
    return this.#progress.frame(this.#trees, (task) => this.#subjectOf(task), this.#daemon.lastWarning());
  }

  #subjectOf({ method, label, arch }: WatchedTask): string {
    if (method === 'build') return basename(this.#options.srpm);
    if (method === 'newRepo') return `${tagName}-build`;
    return method === 'rebuildSRPM' ? arch : (label ?? arch);
  }
}

async function tellSuccess(
  hub: RunningDevHub,
  tree: WatchedTask,
  { dir, screen }: DemoOptions,
  buildMs: number,
  totalMs: number,
): Promise<void> {
  const rpms = join(dir, 'rpms');
  const names = await keepPackages(join(hub.topdir, 'scratch', client.name, `task_${tree.id}`), rpms);
  const width = Math.max(...names.map((name) => name.length));
  screen.print(
    `\n${paint(['green', 'bold'], 'Built')} in ${seconds(buildMs)}; the whole demo took ${seconds(totalMs)}.\n`,
  );
  for (const name of names) {
    const { size } = await stat(join(rpms, name));
    screen.print(`  ${name.padEnd(width)}  ${fileSize(size).padStart(8)}`);
  }
  const show = names.find((name) => !name.endsWith('.src.rpm')) ?? names[0] ?? '';
  screen.print(
    `\n  packages  ${rpms}\n  logs      ${join(dir, 'logs')}\n  look at   rpm -qlp ${join(rpms, show)}`,
  );
}

async function tellFailure(
  hub: RunningDevHub,
  user: HubClient,
  tree: WatchedTask,
  { dir, screen }: DemoOptions,
): Promise<void> {
  const fault = await faultOf(user, tree);
  screen.print(`\n${paint(['red', 'bold'], 'Failed')}: ${printableLines(fault)}`);
  const log = await tellingLog(hub.topdir, tree, fault);
  if (log !== undefined) {
    screen.print(`\nThe end of ${log.name} of ${log.task.method}:\n`);
    for (const line of lastLines(log.text, 15)) screen.print(paint('dim', `  | ${line}`));
  }
  screen.print(`\n  logs      ${join(dir, 'logs')}`);
}

async function faultOf(user: HubClient, tree: WatchedTask): Promise<string> {
  if (tree.state === taskState.CANCELED) return 'the task was canceled';
  try {
    await user.call('getTaskResult', [tree.id]);
  } catch (error) {
    if (!(error instanceof HubFault)) throw error;
    return error.faultString;
  }
  throw new Error(`task ${tree.id} is in state ${tree.state}, but has a result`);
}

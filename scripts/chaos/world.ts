import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import PQueue from 'p-queue';
import { z } from 'zod';
import { workerIdOf } from '../../src/container/names.ts';
import { systemClock } from '../../src/core/clock.ts';
import { never } from '../../src/core/never.ts';
import { HubClient, type WatchedTask } from '../../src/devhub/client.ts';
import { taskState } from '../../src/devhub/rows.ts';
import { HubFault } from '../../src/hub/faults.ts';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';
import { FaultyProxy, type ProxyRules } from '../../test/support/faulty-proxy.ts';
import { KeptDaemon, withoutTestVariables } from './daemon.ts';
import { ChaosEngine, type ContainerEvent } from './engine.ts';
import { type FileFacts, factsOf } from './file-facts.ts';
import type { ChaosHub } from './hub.ts';
import { type TaskOutcome, withoutIds } from './outcome.ts';
import type { Surroundings } from './surroundings.ts';
import { WorkArea } from './work-area.ts';

const ended: readonly number[] = [taskState.CLOSED, taskState.CANCELED, taskState.FAILED];
const workAreaMb = 1500;

const Tasks = z.array(z.looseObject({ id: z.int(), state: z.int() }));
const Buildroots = z.array(z.looseObject({ id: z.int(), state: z.int() }));

export interface WorldOptions {
  readonly rules: ProxyRules;
  onEvent(event: ContainerEvent): void;
  /** Makes the hub, with a directory for what it needs. */
  openHub(directory: string): Promise<ChaosHub>;
  /** Whether there is to be a repo to build in. */
  readonly withRepo: boolean;
  /** Left out: a work area in memory. */
  openArea?(path: string, sizeMb: number): WorkArea;
  /** What Node.js runs as the daemon. Left out: its source. */
  readonly cli?: string;
  /** Lines of adjutant.conf. */
  readonly settings?: readonly string[];
}

const sourceCli = join(import.meta.dirname, '../../src/cli.ts');

/** A hub, a daemon that is kept alive, an engine's service and a proxy before the hub. */
export class World {
  readonly hub: ChaosHub;
  readonly area: WorkArea;
  readonly engine: ChaosEngine;
  readonly daemon: KeptDaemon;
  readonly #proxy: FaultyProxy;
  readonly #directory: string;
  readonly #distribution: string;
  /** Without a session, so that calls may overlap. */
  readonly #reader: HubClient;
  readonly #client: HubClient;
  /** Calls of one session have to arrive in order. */
  readonly #calls = new PQueue({ concurrency: 1 });

  private constructor(
    parts: Pick<World, 'hub' | 'area' | 'engine' | 'daemon'>,
    proxy: FaultyProxy,
    directory: string,
    distribution: string,
  ) {
    ({ hub: this.hub, area: this.area, engine: this.engine, daemon: this.daemon } = parts);
    this.#proxy = proxy;
    this.#directory = directory;
    this.#distribution = distribution;
    this.#reader = new HubClient(this.hub.url);
    this.#client = new HubClient(this.hub.url);
  }

  static async open(surroundings: Surroundings, options: WorldOptions): Promise<World> {
    const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-chaos-'));
    const hub = await options.openHub(directory);
    const { openArea = WorkArea.inMemory } = options;
    const area = openArea(join(directory, 'work'), workAreaMb);
    const workerId = workerIdOf(hub.builder.name, join(area.path, 'adjutant'));
    const engine = await ChaosEngine.start(
      directory,
      workerId,
      surroundings.engineConfiguration,
      options.onEvent,
    );
    const proxy = await FaultyProxy.open(hub.url, options.rules);
    await configure(directory, hub, proxy.url, engine.socket, surroundings.image, options.settings);
    const daemon = new KeptDaemon(directory, options.cli ?? sourceCli);
    const world = new World({ hub, area, engine, daemon }, proxy, directory, surroundings.distribution);
    await world.#client.login(hub.admin.name, hub.admin.password);
    if (options.withRepo) await world.end(await world.submit('newRepo', ['td1-build']));
    return world;
  }

  /** The n-th build that may be tagged. */
  build(index: number): number {
    return this.hub.builds[index % this.hub.builds.length] ?? 0;
  }

  async submit(
    method: string,
    params: readonly RpcValue[],
    options: Record<string, RpcValue> = {},
  ): Promise<number> {
    const task = await this.#call('makeTask', [method, [...params]], {
      channel: this.hub.channel,
      ...options,
    });
    return z.int().parse(task);
  }

  /** Brings a source package to the hub; gives its path there. */
  async upload(srpm: string): Promise<string> {
    const place = `cli-build/${crypto.randomUUID()}`;
    return this.#calls.add(() => this.#client.uploadFile(srpm, place, never));
  }

  /** Asks for a scratch build of a source package of the test distribution, or of one elsewhere. */
  async submitBuild(srpm = join(this.#distribution, 'srpms', 'hello-1.0-1.td1.src.rpm')): Promise<number> {
    const params = [await this.upload(srpm), 'td1', { scratch: true }];
    return z.int().parse(await this.#call('build', params, { channel: this.hub.channel }));
  }

  async cancel(task: number): Promise<void> {
    await this.#call('cancelTask', [task]);
  }

  /** The states of tasks, by their ids. */
  async states(tasks: readonly number[]): Promise<ReadonlyMap<number, number>> {
    if (this.daemon.failure !== null) throw new Error(this.daemon.failure);
    const rows = Tasks.parse(await this.#read('getTaskInfo', [[...tasks]]));
    return new Map(rows.map(({ id, state }) => [id, state]));
  }

  async stateOf(task: number): Promise<number> {
    return (await this.states([task])).get(task) ?? Number.NaN;
  }

  async hasEnded(task: number): Promise<boolean> {
    return ended.includes(await this.stateOf(task));
  }

  async end(task: number): Promise<void> {
    while (!(await this.hasEnded(task))) await systemClock.sleep(100, never);
  }

  /** A task with all below it. */
  async tree(task: number): Promise<WatchedTask> {
    return this.#reader.taskTree(task);
  }

  /** How a task ended, with all below it. */
  async outcome(task: number): Promise<TaskOutcome> {
    return this.#outcomeOf(await this.tree(task));
  }

  async #outcomeOf({ id, method, label, state, children }: WatchedTask): Promise<TaskOutcome> {
    const byLabel = children.toSorted((a, b) =>
      `${a.label} ${a.method}`.localeCompare(`${b.label} ${b.method}`),
    );
    const result = await this.#read('getTaskResult', [id]).then(
      (value) => JSON.stringify(value),
      (error: unknown) => (error instanceof HubFault ? error.message : Promise.reject(error)),
    );
    const outcomes: TaskOutcome[] = [];
    for (const child of byLabel) outcomes.push(await this.#outcomeOf(child));
    return {
      method,
      label,
      state,
      result: withoutIds(result),
      children: outcomes,
      files: await this.#filesOf(id),
    };
  }

  async #filesOf(task: number): Promise<readonly FileFacts[]> {
    const place = this.uploadPath(task);
    if (!existsSync(place)) return [];
    const paths = readdirSync(place)
      .filter((name) => !/^dnf.*\.log$/.test(name))
      .map((name) => join(place, name))
      .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
      .toSorted((a, b) => basename(a).localeCompare(basename(b)));
    const facts: FileFacts[] = [];
    for (const path of paths) facts.push(await factsOf(path));
    return facts;
  }

  /** Where a task's files lie on the hub's disk. */
  uploadPath(task: number, ...names: readonly string[]): string {
    return join(this.hub.topdir, 'work', 'tasks', String(task % 10_000), String(task), ...names);
  }

  /** Where a task works on this host. */
  taskPath(task: number, ...names: readonly string[]): string {
    return join(this.area.path, 'adjutant', 'tasks', String(task % 10_000), String(task), ...names);
  }

  /** Has the daemon forget what it has prepared. No task may run. */
  async forget(): Promise<void> {
    const config = join(this.#directory, 'kojid.conf');
    await promisify(execFile)(process.execPath, [sourceCli, 'cache', 'trim', '--all', '-c', config], {
      env: withoutTestVariables(process.env),
    });
  }

  /** Buildroots that are not done with, and sessions of the builder that are still open. */
  async leftOnHub(): Promise<string[]> {
    const host = z
      .looseObject({ id: z.int() })
      .parse(await this.#reader.call('getHost', [this.hub.builder.name]));
    const rows = await this.#reader.call('listBuildroots', [], { hostID: host.id, state: [0, 1, 2] });
    return [
      ...Buildroots.parse(rows).map(({ id, state }) => `buildroot ${id} in state ${state}`),
      ...(await this.hub.openSessions()),
    ];
  }

  /** Containers and files; those whose work is done have a while to go. */
  async leftHere(): Promise<string[]> {
    const untilMs = systemClock.now() + 30_000;
    for (;;) {
      const containers = await this.engine.containers();
      const left = [...containers.map((name) => `container ${name}`), ...this.area.leftovers()];
      if (left.length === 0 || systemClock.now() > untilMs) return left;
      await systemClock.sleep(500, never);
    }
  }

  get logPath(): string {
    return join(this.#directory, 'log');
  }

  /** Stops everything, and removes what it has made. */
  async close(): Promise<void> {
    await this.daemon.stop();
    await this.engine[Symbol.asyncDispose]();
    await this.#proxy[Symbol.asyncDispose]();
    await this.hub.close();
    this.area.remove();
    await rm(this.#directory, { recursive: true });
  }

  /** Asks once more when a connection ends that the hub has kept for too long: nobody sees that coming. */
  async #read(method: string, params: readonly RpcValue[]): Promise<RpcValue> {
    return this.#reader
      .call(method, params)
      .catch((error: unknown) =>
        error instanceof HubFault ? Promise.reject(error) : this.#reader.call(method, params),
      );
  }

  /** A call of the admin, which has to be answered. */
  async ask(method: string, params: readonly RpcValue[], keywords: Record<string, RpcValue> = {}) {
    return this.#call(method, params, keywords);
  }

  #call(method: string, params: readonly RpcValue[], keywords: Record<string, RpcValue> = {}) {
    return this.#calls.add(() => this.#client.call(method, params, keywords));
  }
}

async function configure(
  directory: string,
  hub: ChaosHub,
  server: string,
  socket: string,
  image: string,
  settings: readonly string[] = [],
): Promise<void> {
  const { name: user, password } = hub.builder;
  const kojid = {
    server,
    topurl: hub.filesUrl,
    topdir: hub.topdir,
    user,
    password,
    workdir: join(directory, 'work'),
    sleeptime: 2,
    minspace: 1,
    maxjobs: 20,
    retry_interval: 2,
    offline_retry_interval: 1,
    vendor: 'V',
    packager: 'P',
    distribution: 'D',
  };
  const lines = Object.entries(kojid).map(([key, value]) => `${key} = ${value}`);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'kojid.conf'), ['[kojid]', ...lines, ''].join('\n'));
  const adjutant = [`podman_socket = ${socket}`, `task_image_default = ${image}`, ...settings];
  await writeFile(join(directory, 'adjutant.conf'), ['[adjutant]', ...adjutant, ''].join('\n'));
}

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { workerIdOf } from '../../src/container/names.ts';
import { systemClock } from '../../src/core/clock.ts';
import { HubClient } from '../../src/devhub/client.ts';
import { ensureTag, findUser } from '../../src/devhub/hub.ts';
import { buildrootState, buildState, stateName, taskState } from '../../src/devhub/rows.ts';
import { type RunningDevHub, runDevHub } from '../../src/devhub/run.ts';
import { allowPackage, seedDevHub } from '../../src/devhub/seed.ts';
import { HubFault } from '../../src/hub/faults.ts';
import { FaultyProxy, type ProxyRules } from '../../test/support/faulty-proxy.ts';
import { KeptDaemon } from './daemon.ts';
import { ChaosEngine, type ContainerEvent } from './engine.ts';
import { describeFile, type TaskOutcome, withoutIds } from './outcome.ts';
import type { Surroundings } from './surroundings.ts';
import { WorkArea } from './work-area.ts';

const host = { name: 'chaos-builder', password: 'chaos-builder-pw', capacity: 6 };
const user = { name: 'chaos-client', password: 'chaos-client-pw' };
const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const never = new AbortController().signal;
const ended: readonly number[] = [taskState.CLOSED, taskState.CANCELED, taskState.FAILED];
const workAreaMb = 1500;

/** A hub, a daemon that is kept alive, an engine's service and a proxy before the hub. */
export class World {
  readonly client: HubClient;
  readonly hub: RunningDevHub;
  readonly area: WorkArea;
  readonly engine: ChaosEngine;
  readonly daemon: KeptDaemon;
  readonly #proxy: FaultyProxy;
  readonly #directory: string;
  readonly #hello: string;
  #builds: readonly number[] = [];

  private constructor(
    parts: Pick<World, 'hub' | 'area' | 'engine' | 'daemon'>,
    proxy: FaultyProxy,
    directory: string,
    hello: string,
  ) {
    ({ hub: this.hub, area: this.area, engine: this.engine, daemon: this.daemon } = parts);
    this.#proxy = proxy;
    this.#directory = directory;
    this.#hello = hello;
    this.client = new HubClient(this.hub.url);
  }

  static async open(
    surroundings: Surroundings,
    withRepo: boolean,
    rules: ProxyRules,
    onEvent: (event: ContainerEvent) => void,
  ): Promise<World> {
    const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-chaos-'));
    const hub = await runDevHub({
      dir: join(directory, 'hub'),
      port: 0,
      clock: systemClock,
      settings: { softRefusalMs: 1000 },
    });
    await seedDevHub(hub, {
      distroRepo: join(surroundings.distribution, 'repo'),
      tagName: 'td1',
      arches: arch,
      extra: { 'rpm.macro.dist': '.td1' },
      packages: ['hello'],
      builder: host,
      client: user,
    });
    const area = new WorkArea(join(directory, 'work'), workAreaMb);
    const workerId = workerIdOf(host.name, join(area.path, 'adjutant'));
    const engine = await ChaosEngine.start(directory, workerId, surroundings.engineConfiguration, onEvent);
    const proxy = await FaultyProxy.open(hub.url, rules);
    await configure(directory, hub, proxy.url, engine.socket, surroundings.image);
    const daemon = new KeptDaemon(directory);
    const hello = join(surroundings.distribution, 'srpms', 'hello-1.0-1.td1.src.rpm');
    const world = new World({ hub, area, engine, daemon }, proxy, directory, hello);
    await world.#prepare(withRepo);
    return world;
  }

  /** A tag of its own for what is tagged, and, if there are builds, a repo to build in. */
  async #prepare(withRepo: boolean): Promise<void> {
    this.#builds = await this.hub.change((data) => {
      const tag = ensureTag(data, { name: 'chaos', arches: null, extra: {}, parents: [], groups: [] });
      const owner = findUser(data, user.name)?.id ?? 0;
      const complete = data.state.tables.builds.filter((build) => build.state === buildState.COMPLETE);
      for (const { package_id } of complete)
        allowPackage(data, tag, data.state.tables.packages.mustGet(package_id).name, owner);
      return complete.map(({ id }) => id);
    });
    await this.client.login(user.name, user.password);
    if (!withRepo) return;
    const repo = z
      .int()
      .parse(await this.client.call('makeTask', ['newRepo', ['td1-build']], { channel: 'createrepo' }));
    await this.end(repo);
  }

  /** The n-th build that may be tagged. */
  build(index: number): number {
    return this.#builds[index % this.#builds.length] ?? 0;
  }

  async submit(method: string, params: readonly (number | string | boolean | null)[]): Promise<number> {
    const channel = method === 'newRepo' ? 'createrepo' : 'default';
    return z.int().parse(await this.client.call('makeTask', [method, [...params]], { channel }));
  }

  async submitBuild(): Promise<number> {
    return this.client.buildSrpm(this.#hello, 'td1', { scratch: true }, never);
  }

  async stateOf(task: number): Promise<number> {
    return this.hub.change(({ state }) => state.tables.tasks.mustGet(task).state);
  }

  async hasEnded(task: number): Promise<boolean> {
    if (this.daemon.failure !== null) throw new Error(this.daemon.failure);
    return ended.includes(await this.stateOf(task));
  }

  async end(task: number): Promise<void> {
    while (!(await this.hasEnded(task))) await systemClock.sleep(100, never);
  }

  /** How a task ended, with all below it. */
  async outcome(task: number): Promise<TaskOutcome> {
    const rows = await this.hub.change(({ state }) => [
      state.tables.tasks.mustGet(task),
      ...state.tables.tasks.filter((row) => row.parent === task),
    ]);
    const [own, ...children] = rows;
    if (own === undefined) throw new Error(`there is no task ${task}`);
    const byLabel = children.toSorted((a, b) =>
      `${a.label} ${a.method}`.localeCompare(`${b.label} ${b.method}`),
    );
    const result = await this.client.call('getTaskResult', [task]).then(
      (value) => JSON.stringify(value),
      (error: unknown) => (error instanceof HubFault ? error.message : Promise.reject(error)),
    );
    const outcomes: TaskOutcome[] = [];
    for (const child of byLabel) outcomes.push(await this.outcome(child.id));
    return {
      method: own.method,
      label: own.label,
      state: own.state,
      result: withoutIds(result),
      files: this.#filesOf(task),
      children: outcomes,
    };
  }

  #filesOf(task: number): string[] {
    const place = join(this.hub.topdir, 'work', 'tasks', String(task % 10_000), String(task));
    if (!existsSync(place)) return [];
    return readdirSync(place)
      .filter((name) => !/^dnf.*\.log$/.test(name))
      .filter((name) => statSync(join(place, name), { throwIfNoEntry: false })?.isFile())
      .map((name) => describeFile(name, () => readFileSync(join(place, name))))
      .sort();
  }

  /** Buildroots that are not done with, and sessions of the builder that are still open. */
  async leftOnHub(): Promise<string[]> {
    return this.hub.change((data) => {
      const { buildroots, sessions } = data.state.tables;
      const builder = findUser(data, host.name)?.id;
      return [
        ...buildroots
          .filter((row) => row.state !== buildrootState.EXPIRED)
          .map((row) => `buildroot ${row.id} is ${stateName(buildrootState, row.state)}`),
        ...sessions
          .filter((row) => row.user_id === builder && !row.closed)
          // A login whose answer was lost has made a session nobody knows; it holds nothing and expires.
          .filter((row) => row.exclusive || row.master !== null)
          .map((row) =>
            row.master === null ? `session ${row.id}` : `subsession ${row.id} of ${row.master}`,
          ),
      ];
    });
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

  /** `keep`: leaves the log for somebody to read. */
  async close(): Promise<void> {
    await this.daemon.stop();
    await this.engine[Symbol.asyncDispose]();
    await this.#proxy[Symbol.asyncDispose]();
    await this.hub.close();
    this.area.remove();
    await rm(this.#directory, { recursive: true });
  }
}

async function configure(
  directory: string,
  hub: RunningDevHub,
  server: string,
  socket: string,
  image: string,
): Promise<void> {
  const kojid = {
    ...{ server, topurl: hub.filesUrl, topdir: hub.topdir, user: host.name, password: host.password },
    ...{ workdir: join(directory, 'work'), sleeptime: 2, minspace: 1, maxjobs: 20, retry_interval: 2 },
    ...{ offline_retry_interval: 1, vendor: 'V', packager: 'P', distribution: 'D' },
  };
  const lines = Object.entries(kojid).map(([key, value]) => `${key} = ${value}`);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'kojid.conf'), ['[kojid]', ...lines, ''].join('\n'));
  const adjutant = [`podman_socket = ${socket}`, `task_image_default = ${image}`];
  await writeFile(join(directory, 'adjutant.conf'), ['[adjutant]', ...adjutant, ''].join('\n'));
}

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { workerIdOf } from '../../src/container/names.ts';
import { systemClock } from '../../src/core/clock.ts';
import { never } from '../../src/core/never.ts';
import { DaemonProcess } from '../../src/demo/daemon-process.ts';
import { HubClient, type WatchedTask } from '../../src/devhub/client.ts';
import { isAtLeast } from '../../src/hub/api/version.ts';
import { HubFault } from '../../src/hub/faults.ts';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';
import { type LaneArea, takeArea } from '../support/lane.ts';
import { type OrdinaryUser, Podman, surroundings } from './surroundings.ts';

const cli = join(import.meta.dirname, '../../src/cli.ts');
const idleHost = join(import.meta.dirname, '../support/idle-host.ts');

/** What the tests ask of a hub, the development one or a real one. */
export interface TestHub {
  readonly url: string;
  readonly filesUrl: string;
  readonly topdir: string;
  readonly client: { readonly name: string; readonly password: string };
  /** Target whose build tag has the test distribution and a repository. */
  readonly target: string;
  /** Channel whose only host is the builder. */
  readonly channel: string;
  /** The builder's account. No other builder that uses the same container engine may have its name. */
  readonly builder: { readonly name: string; readonly password: string };
  /** Makes the builder's host and enables it. */
  ensureBuilder(): Promise<void>;
  host(name: string): Promise<{ readonly ready: boolean; readonly load: number; readonly updatedMs: number }>;
  /** The buildroots of a task in the order they were made, with names of packages as `name-version-release.arch`. */
  buildroots(taskId: number): Promise<readonly TestBuildroot[]>;
  close(): Promise<void>;
}

export interface TestBuildroot {
  readonly state: string;
  readonly packages: readonly { readonly nvra: string; readonly isUpdate: boolean }[];
}

/** How a task ended. */
export interface Ended {
  readonly tree: WatchedTask;
  /** Its result, when it was closed. */
  readonly result: RpcValue;
  /** Its fault, when it has failed. */
  readonly fault: { readonly code: number; readonly text: string } | null;
}

/** What a builder has other than usual. */
export interface BuilderOptions {
  /** Lines of its adjutant.conf. */
  readonly settings?: readonly string[];
  /** Options of its kojid.conf. */
  readonly kojid?: Readonly<Record<string, string>>;
  /** Whose daemon and engine it is; they begin cold. */
  readonly user?: OrdinaryUser;
  /** Nothing is prepared: else there may be what earlier test files have left in the caches (`takeArea`). */
  readonly cold?: boolean;
}

/** A daemon as its own process, with a hub to work for and clients to ask for work. */
export class TestBuilder implements AsyncDisposable {
  readonly hub: TestHub;
  readonly podman: Podman;
  daemon: DaemonProcess;
  readonly #area: LaneArea;
  readonly #user: OrdinaryUser | null;
  #startedMs = 0;

  /** Starts a daemon and waits until the hub has it as ready. */
  static async start(
    hub: TestHub,
    { settings = [], kojid = {}, user, cold = user !== undefined }: BuilderOptions = {},
  ): Promise<TestBuilder> {
    await hub.ensureBuilder();
    const area = await takeArea({ cold });
    const { path: directory } = area;
    const socket = user?.socket ?? surroundings().socket;
    await writeConfiguration(directory, hub, socket, settings, kojid);
    if (user !== undefined) {
      for (const place of [
        directory,
        ...['work', 'kojid.conf', 'adjutant.conf'].map((at) => join(directory, at)),
      ])
        await chown(place, user.uid, user.gid);
      // The tree of a hub can be read by its builders.
      await chmod(hub.topdir, 0o755);
      await chmod(dirname(hub.topdir), 0o755);
    }
    const builder = new TestBuilder(hub, area, socket, user ?? null);
    await builder.untilReady();
    return builder;
  }

  private constructor(hub: TestHub, area: LaneArea, socket: string, user: OrdinaryUser | null) {
    this.hub = hub;
    this.#area = area;
    this.#user = user;
    this.podman = new Podman(socket, workerIdOf(hub.builder.name, area.stateDirectory));
    this.daemon = this.#spawn();
  }

  /** Starts the daemon again after it was stopped. */
  async restart(): Promise<void> {
    this.daemon = this.#spawn();
    await this.untilReady();
  }

  /** Kills the daemon as a crash would, and waits until it is gone. */
  async kill(): Promise<void> {
    this.daemon.signal('SIGKILL');
    await this.daemon.ended;
  }

  async untilReady(): Promise<void> {
    await this.daemon.whileRunning(async (signal) => {
      while (!(await this.#hasCheckedIn())) await systemClock.sleep(100, signal);
    }, never);
  }

  /** A host may be ready from a previous run. */
  async #hasCheckedIn(): Promise<boolean> {
    const { ready, updatedMs } = await this.hub.host(this.name);
    return ready && updatedMs > this.#startedMs;
  }

  get name(): string {
    return this.hub.builder.name;
  }

  /** Where its configuration, its log and its work are. */
  get directory(): string {
    return this.#area.path;
  }

  #spawn(): DaemonProcess {
    const daemon = [process.execPath, '--import', idleHost, cli] as const;
    this.#startedMs = systemClock.now();
    return new DaemonProcess({
      command: this.#user === null ? daemon : ['setpriv', ...this.#user.becoming, ...daemon],
      configPath: join(this.directory, 'kojid.conf'),
      logPath: join(this.directory, 'log'),
      env: {
        ...withoutTestVariables(process.env),
        ...(this.#user !== null && { HOME: this.#user.home, XDG_RUNTIME_DIR: undefined }),
      },
      clock: systemClock,
    });
  }

  async login(): Promise<HubClient> {
    const client = new HubClient(this.hub.url);
    await client.login(this.hub.client.name, this.hub.client.password);
    return client;
  }

  /** Uploads a source package and asks for its build. */
  async submit(
    srpm: string,
    options: { readonly target?: string; readonly opts?: Record<string, RpcValue> } = {},
  ): Promise<number> {
    const { target = this.hub.target, opts = { scratch: true } } = options;
    const client = await this.login();
    const path = await client.uploadFile(srpm, `cli-build/${randomBytes(8).toString('hex')}`, never);
    const task = await client.call('build', [path, target, opts], { channel: this.hub.channel });
    await client.logout();
    return z.int().parse(task);
  }

  /** Submits a build and waits for its end. */
  async build(...args: Parameters<TestBuilder['submit']>): Promise<Ended> {
    return this.end(await this.submit(...args));
  }

  async end(taskId: number): Promise<Ended> {
    const client = await this.login();
    const tree = await this.daemon.whileRunning(
      (signal) =>
        client.watchTask(taskId, { clock: systemClock, intervalMs: 300, signal, onChange: () => undefined }),
      never,
    );
    const ended = await resultOf(client, tree);
    await client.logout();
    return ended;
  }

  /** Has a repository of a tag made, unless there is a current one. */
  async ensureRepo(tag: string): Promise<void> {
    const client = await this.login();
    if (!isAtLeast(z.string().parse(await client.call('getKojiVersion')), 1, 35)) {
      // Nothing but a task makes one there; which of its packages are current, kojira sees to.
      const known = await client.call('getRepo', [tag]);
      const task = known === null ? z.int().parse(await client.call('newRepo', [tag])) : null;
      await client.logout();
      if (task !== null) await this.#mustEndWell(task, tag);
      return;
    }
    const { request } = RepoAnswer.parse(await client.call('repo.request', [tag]));
    let taskId: number | null = null;
    while (request !== null && taskId === null) {
      // A real hub makes the task when its scheduler runs next; the limit of the test ends it otherwise.
      taskId = RequestAnswer.parse(await client.call('repo.checkRequest', [request.id])).request.task_id;
      if (taskId === null) await systemClock.sleep(500, never);
    }
    await client.logout();
    if (taskId !== null) await this.#mustEndWell(taskId, tag);
  }

  async #mustEndWell(taskId: number, tag: string): Promise<void> {
    const { fault } = await this.end(taskId);
    if (fault !== null) throw new Error(`no repository of ${tag}: ${fault.text}`);
  }

  /** How a task of the tree ended: the first of this method. */
  async child({ tree }: Ended, method: string): Promise<Ended> {
    const client = await this.login();
    const ended = await resultOf(client, childOf(tree, method));
    await client.logout();
    return ended;
  }

  /** Names of the files a task has uploaded, sorted. */
  async uploads(taskId: number): Promise<readonly string[]> {
    const directory = this.#uploadDirectory(taskId);
    return existsSync(directory) ? (await readdir(directory)).sort() : [];
  }

  async log(taskId: number, name: string): Promise<string> {
    return readFile(this.uploadPath(taskId, name), 'utf8');
  }

  /** Where a file that a task has uploaded lies on the hub's disk. */
  uploadPath(taskId: number, name: string): string {
    return join(this.#uploadDirectory(taskId), name);
  }

  #uploadDirectory(taskId: number): string {
    return join(this.hub.topdir, 'work', 'tasks', String(taskId % 10_000), String(taskId));
  }

  /**
   * What is left of tasks on this host: containers, and directories of tasks. Empty when all is well; containers whose
   * work is done, and roots that are being kept as snapshots, have half a minute to go.
   */
  async leftovers(): Promise<readonly string[]> {
    const lateMs = systemClock.now() + 30_000;
    for (;;) {
      const left = await this.#leftNow();
      if (left.length === 0 || systemClock.now() > lateMs) return left;
      await systemClock.sleep(100, never);
    }
  }

  async #leftNow(): Promise<readonly string[]> {
    const tasks = join(this.#area.stateDirectory, 'tasks');
    const directories = existsSync(tasks) ? await readdir(tasks, { recursive: true }) : [];
    return [
      ...(await this.podman.containers()),
      // A directory of many tasks, then the task's: tasks/123/10123.
      ...directories.filter((path) => path.includes('/')).map((path) => `task directory ${path}`),
    ];
  }

  /** Stops daemon and hub. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon.stop();
    for (const name of await this.podman.containers()) await this.podman.remove(name);
    await this.hub.close();
    await this.#area[Symbol.asyncDispose]();
  }
}

const RepoAnswer = z.object({ request: z.looseObject({ id: z.int() }).nullable() });
const RequestAnswer = z.looseObject({ request: z.looseObject({ task_id: z.int().nullable() }) });

/** What describes the tests' surroundings would be taken for options that do not exist. */
function withoutTestVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('KOJI_ADJUTANT_TEST_')));
}

async function writeConfiguration(
  directory: string,
  hub: TestHub,
  socket: string,
  settings: readonly string[],
  others: Readonly<Record<string, string>>,
): Promise<void> {
  const { image } = surroundings();
  await mkdir(join(directory, 'work'), { recursive: true });
  const kojid = {
    server: hub.url,
    topurl: hub.filesUrl,
    topdir: hub.topdir,
    user: hub.builder.name,
    password: hub.builder.password,
    workdir: join(directory, 'work'),
    sleeptime: 2,
    minspace: 1024,
    failed_buildroot_lifetime: 0,
    vendor: 'E2E Vendor',
    packager: 'E2E Packager',
    distribution: 'E2E Distribution',
    ...others,
  };
  const text = Object.entries(kojid).map(([key, value]) => `${key} = ${value}`);
  await writeFile(join(directory, 'kojid.conf'), ['[kojid]', ...text, ''].join('\n'));
  // A test that ends leaves nothing to a next start, unless that is what it is about.
  const shutdown = settings.some((line) => line.startsWith('shutdown =')) ? [] : ['shutdown = free'];
  const adjutant = [...shutdown, `podman_socket = ${socket}`, `task_image_default = ${image}`, ...settings];
  await writeFile(join(directory, 'adjutant.conf'), ['[adjutant]', ...adjutant, ''].join('\n'));
}

async function resultOf(client: HubClient, tree: WatchedTask): Promise<Ended> {
  try {
    return { tree, result: await client.call('getTaskResult', [tree.id]), fault: null };
  } catch (error) {
    if (!(error instanceof HubFault)) throw error;
    return { tree, result: null, fault: { code: error.faultCode, text: error.faultString } };
  }
}

/** The task of this method below a build. */
export function childOf(tree: WatchedTask, method: string): WatchedTask {
  const child = tree.children.find((task) => task.method === method);
  if (child === undefined) throw new Error(`task ${tree.id} has no child ${method}`);
  return child;
}

/** A tree as text: `build closed (rebuildSRPM noarch closed, buildArch x86_64 closed)`. */
export function shapeOf(
  { method, label, state, children }: WatchedTask,
  states: Record<string, number>,
): string {
  const name = Object.entries(states).find(([, code]) => code === state)?.[0] ?? String(state);
  const own = [method, ...(label === null ? [] : [label]), name.toLowerCase()].join(' ');
  return children.length === 0
    ? own
    : `${own} (${children.map((child) => shapeOf(child, states)).join(', ')})`;
}

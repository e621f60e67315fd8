import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { z } from 'zod';
import { workerLabel } from '../../src/container/labels.ts';
import { systemClock } from '../../src/core/clock.ts';

const run = promisify(execFile);
const phaseLabel = 'io.koji.adjutant.phase';
const taskLabel = 'io.koji.adjutant.task_id';

/** What happened to a container. */
export interface ContainerEvent {
  readonly status: string;
  readonly taskId: number;
  readonly phase: string;
  readonly exitCode: number | null;
}

const PodmanEvent = z.looseObject({
  Status: z.string(),
  ContainerExitCode: z.int().optional(),
  Attributes: z.record(z.string(), z.string()).nullish(),
});

/**
 * A Podman service of our own: it may be killed or stopped without disturbing others. For root it has storage of its own, with
 * the images of the host's engine: one that is stopped may hold a lock of its storage.
 */
export class ChaosEngine implements AsyncDisposable {
  readonly socket: string;
  readonly #workerId: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #storage: string;
  #service: ChildProcess | null = null;
  #events: ChildProcess | null = null;

  private constructor(directory: string, workerId: string, configuration: string) {
    this.socket = join(directory, 'podman.sock');
    this.#workerId = workerId;
    this.#env = { ...process.env, CONTAINERS_CONF: configuration };
    this.#storage = join(directory, 'storage');
  }

  static async start(
    directory: string,
    workerId: string,
    configuration: string,
    onEvent: (event: ContainerEvent) => void,
  ): Promise<ChaosEngine> {
    const engine = new ChaosEngine(directory, workerId, configuration);
    // Only root can remove what it has stored without asking Podman.
    if (process.getuid?.() === 0) await engine.#separateStorage(join(directory, 'storage.conf'));
    await engine.#serve();
    engine.#watch(onEvent);
    return engine;
  }

  /** Kills the service and starts another. */
  async restart(): Promise<void> {
    this.#service?.kill('SIGKILL');
    await this.#serve();
  }

  /** The service takes requests and answers none, until it is resumed. */
  pause(): void {
    this.#service?.kill('SIGSTOP');
  }

  resume(): void {
    this.#service?.kill('SIGCONT');
  }

  /** Names of the worker's containers in any state. */
  async containers(): Promise<readonly string[]> {
    const filter = `label=${workerLabel}=${this.#workerId}`;
    const { stdout } = await run('podman', ['ps', '--all', '--filter', filter, '--format', '{{.Names}}'], {
      env: this.#env,
    });
    return stdout.split('\n').filter((name) => name !== '');
  }

  async remove(names: readonly string[]): Promise<void> {
    if (names.length > 0) await run('podman', ['rm', '--force', '--time', '0', ...names], { env: this.#env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#events?.kill();
    await this.remove(await this.containers());
    this.#service?.kill();
    for (const place of mountsBelow(this.#storage)) execFileSync('umount', ['--lazy', place]);
    rmSync(this.#storage, { recursive: true, force: true });
  }

  async #separateStorage(configuration: string): Promise<void> {
    const { stdout } = await run('podman', ['info', '--format', '{{.Store.GraphRoot}}'], { env: this.#env });
    const lines = [
      ...['[storage]', 'driver = "overlay"'],
      ...[`graphroot = "${this.#storage}/graph"`, `runroot = "${this.#storage}/run"`],
      ...['[storage.options]', `additionalimagestores = ["${stdout.trim()}"]`],
    ];
    writeFileSync(configuration, `${lines.join('\n')}\n`);
    this.#env['CONTAINERS_STORAGE_CONF'] = configuration;
  }

  async #serve(): Promise<void> {
    rmSync(this.socket, { force: true });
    this.#service = spawn('podman', ['system', 'service', '--time', '0', `unix://${this.socket}`], {
      env: this.#env,
      stdio: 'ignore',
    });
    while (!existsSync(this.socket)) await systemClock.sleep(50);
  }

  /** Events come from the engine's own record, so that a service which dies takes none along. */
  #watch(onEvent: (event: ContainerEvent) => void): void {
    const filter = `label=${workerLabel}=${this.#workerId}`;
    this.#events = spawn('podman', ['events', '--filter', filter, '--format', 'json'], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const { stdout } = this.#events;
    if (stdout === null) return;
    createInterface({ input: stdout }).on('line', (line) => {
      const parsed = PodmanEvent.safeParse(JSON.parse(line));
      if (!parsed.success) return;
      const { Status: status, Attributes: labels, ContainerExitCode: exitCode = null } = parsed.data;
      const taskId = Number(labels?.[taskLabel] ?? Number.NaN);
      if (!Number.isNaN(taskId)) onEvent({ status, taskId, phase: labels?.[phaseLabel] ?? '', exitCode });
    });
  }
}

/** Innermost first. */
function mountsBelow(directory: string): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((place) => place.startsWith(`${directory}/`))
    .toReversed();
}

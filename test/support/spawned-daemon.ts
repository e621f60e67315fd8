import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { PodmanStub } from './podman-stub.ts';

const cli = new URL('../../src/cli.ts', import.meta.url).pathname;

type Line = Readonly<Record<string, unknown>>;

/** The real daemon as its own process, with a podman stub and a hub of the test's choice. */
export class SpawnedDaemon {
  /** The worker's own area. */
  readonly workDir: string;
  readonly lines: Line[] = [];
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  #changed = Promise.withResolvers<void>();

  private constructor(process: ChildProcess, workDir: string) {
    this.#process = process;
    this.workDir = workDir;
    this.#ended = once(process, 'exit');
    // stdout is a pipe: the spawn says so.
    createInterface({ input: process.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.lines.push(JSON.parse(line));
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    });
  }

  /** `settings` are lines of kojid.conf, `flags` words of the command line. Killed when the test ends, if it still runs. */
  static async start(
    server: string,
    settings: readonly string[] = [],
    flags: readonly string[] = ['--verbose'],
  ): Promise<SpawnedDaemon> {
    const directory = await mkdtemp(join(tmpdir(), 'adjutant-'));
    const workDir = join(directory, 'work');
    await mkdir(workDir);
    const socket = join(directory, 'podman.sock');
    const podman = await PodmanStub.start(socket, directory);
    const config = join(directory, 'kojid.conf');
    const text = [
      '[kojid]',
      `server = ${server}`,
      'topurl = http://127.0.0.1:1/kojifiles',
      `topdir = ${directory}`,
      `workdir = ${directory}`,
      `adjutant_state_dir = ${workDir}`,
      'user = builder',
      'password = secret',
      'minspace = 1',
      'max_retries = 1',
      ...settings,
    ];
    await writeFile(config, text.join('\n'));
    const env = { PATH: process.env['PATH'], HOME: directory, CONTAINER_HOST: `unix://${socket}` };
    const child = spawn(process.execPath, [cli, '--fg', ...flags, '-c', config], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const daemon = new SpawnedDaemon(child, workDir);
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await daemon.#ended;
      await podman[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    });
    return daemon;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** The first log line whose message contains this text, once it is there. */
  async line(text: string): Promise<Line> {
    for (;;) {
      const found = this.lines.find(({ msg }) => typeof msg === 'string' && msg.includes(text));
      if (found !== undefined) return found;
      await this.#changed.promise;
    }
  }

  /** How it ended: its exit code, or the signal that killed it. */
  async exit(): Promise<unknown> {
    const [code, signal] = await this.#ended;
    return code ?? signal;
  }
}

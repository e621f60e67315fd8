import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, it } from 'vitest';
import { workerLabel } from '../../src/container/labels.ts';

const run = promisify(execFile);

/** Koji's name of this machine's arch. */
export const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** What end-to-end tests need of the machine; the variables are described at the head of scripts/test.sh. */
export interface Surroundings {
  /** Socket of a Podman service. */
  readonly socket: string;
  readonly image: string;
  /** The test distribution, with `repo/` and `srpms/`. */
  readonly distribution: string;
}

const variables = {
  socket: 'KOJI_ADJUTANT_TEST_ENGINE_SOCKET',
  image: 'KOJI_ADJUTANT_TEST_IMAGE',
  distribution: 'KOJI_ADJUTANT_TEST_DISTRO',
} as const;

/** Why end-to-end tests cannot run here, or null. */
function whatIsMissing(): string | null {
  const unset = Object.values(variables).filter((name) => (process.env[name] ?? '') === '');
  if (unset.length > 0) return `${unset.join(', ')} not set: run scripts/test.sh`;
  if (spawnSync('podman', ['--version']).error !== undefined) return 'podman is not installed';
  if (spawnSync('rpmbuild', ['--version']).error !== undefined) return 'rpmbuild is not installed';
  return null;
}

/** A suite that needs the real parts; where one is missing it is skipped with the reason. */
export function describeE2e(name: string, tests: () => void): void {
  const missing = whatIsMissing();
  if (missing === null) describe(name, tests);
  else describe(name, () => it('needs the real parts', ({ skip }) => skip(missing)));
}

/** One that mounts file systems of its own, which only root may. */
export function describeE2eAsRoot(name: string, tests: () => void): void {
  if (process.getuid?.() === 0) describeE2e(name, tests);
  else describe(name, () => it('needs root', ({ skip }) => skip('only root can mount a file system')));
}

/** A user of this machine with a rootless engine, and how root becomes one. */
export interface OrdinaryUser {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** Of the user's own Podman service, which has the image, too. */
  readonly socket: string;
  /** Arguments of `setpriv`, before a command. */
  readonly becoming: readonly string[];
}

/** The user, or why there is none for these tests. */
export function ordinaryUser(): OrdinaryUser | string {
  const { KOJI_ADJUTANT_TEST_USER: name = '', KOJI_ADJUTANT_TEST_USER_SOCKET: socket = '' } = process.env;
  if (process.getuid?.() !== 0) return 'only root can become another user';
  if (name === '' || socket === '') return 'KOJI_ADJUTANT_TEST_USER, _SOCKET not set: run scripts/test.sh';
  const becoming = ['--reuid', name, '--regid', name, '--init-groups'];
  const look = ['sh', '-c', `test -r "$0" && id -u && id -g && echo ~`, import.meta.filename];
  const { status, stdout } = spawnSync('setpriv', [...becoming, '--reset-env', ...look], {
    encoding: 'utf8',
  });
  if (status !== 0) return `${name} cannot read ${import.meta.filename}`;
  const [uid = '', gid = '', home = ''] = stdout.split('\n');
  return { uid: Number(uid), gid: Number(gid), home, socket, becoming };
}

export function surroundings(): Surroundings {
  const value = (name: string): string => {
    const text = process.env[name];
    if (text === undefined) throw new Error(`${name} is not set`);
    return text;
  };
  return {
    socket: value(variables.socket),
    image: value(variables.image),
    distribution: value(variables.distribution),
  };
}

/** A source package of the test distribution. */
export function srpm(name: string): string {
  return join(surroundings().distribution, 'srpms', `${name}-1.0-1.td1.src.rpm`);
}

/** Makes a source package `<name>-1.0-1` whose spec ends with these lines; gives its path in `directory`. */
export async function makeSrpm(directory: string, name: string, spec: string): Promise<string> {
  const top = await mkdtemp(join(tmpdir(), 'koji-adjutant-srpm-'));
  try {
    const file = join(top, `${name}.spec`);
    const header = `Name: ${name}\nVersion: 1.0\nRelease: 1%{?dist}\nSummary: Test\nLicense: MIT\n`;
    await writeFile(file, header + spec);
    await mkdir(directory, { recursive: true });
    const defines = [`_topdir ${top}`, `_srcrpmdir ${directory}`, 'dist .td1'];
    await run('rpmbuild', ['-bs', '--quiet', ...defines.flatMap((define) => ['--define', define]), file]);
    return join(directory, `${name}-1.0-1.td1.src.rpm`);
  } finally {
    await rm(top, { recursive: true });
  }
}

/** Podman itself, to look at what the daemon does from the outside. */
export class Podman {
  readonly #socket: string;
  readonly #workerId: string;

  constructor(socket: string, workerId: string) {
    this.#socket = socket;
    this.#workerId = workerId;
  }

  /** Names of the worker's containers in any state. */
  async containers(): Promise<readonly string[]> {
    const filter = `label=${workerLabel}=${this.#workerId}`;
    return lines(await this.#podman('ps', '--all', '--filter', filter, '--format', '{{.Names}}'));
  }

  /** Names of those that run. */
  async running(): Promise<readonly string[]> {
    const filter = `label=${workerLabel}=${this.#workerId}`;
    return lines(await this.#podman('ps', '--filter', filter, '--format', '{{.Names}}'));
  }

  /** Pids, on this host, of all processes in a container. */
  async processes(container: string): Promise<readonly number[]> {
    return lines(await this.#podman('top', container, 'hpid'))
      .slice(1)
      .map(Number);
  }

  async remove(container: string): Promise<void> {
    await this.#podman('rm', '--force', '--time', '0', container);
  }

  async #podman(...args: string[]): Promise<string> {
    return (await run('podman', ['--url', `unix://${this.#socket}`, ...args])).stdout;
  }
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import type { ContainerBackend } from '../../src/container/backend.ts';
import { Engine, libpod } from '../../src/container/podman/api/client.ts';
import { ensureService, type ServiceOptions, stopService } from '../../src/container/podman/api/service.ts';
import { PodmanRuntime } from '../../src/container/podman/podman-runtime.ts';
import type { ContainerSpec } from '../../src/container/spec.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { createLogger } from '../../src/core/logger.ts';
import { never } from '../../src/core/never.ts';
import type { ContractBackend, ContractProcess } from '../contract/container-backend.contract.ts';

const busybox = ['/usr/bin/busybox', '/bin/busybox', '/usr/sbin/busybox', '/sbin/busybox'].find((path) =>
  existsSync(path),
);
const image = 'localhost/koji-adjutant-test:1';
const workerId = 'contract';

/** What the containers of the tests get: no more than a host without CAP_SYS_RESOURCE may give. */
export const testUlimits = {
  nofile: { soft: 1024, hard: 16_384 },
  nproc: { soft: 20_000, hard: 20_000 },
} as const;

/** Why tests against a real Podman cannot run here; undefined when they can. */
export function podmanMissing(): string | undefined {
  if (spawnSync('podman', ['--version']).error !== undefined) return 'podman is not installed';
  if (busybox === undefined) return 'busybox is not installed (package busybox-static or busybox)';
  // Nothing else is in the root of the containers, so it has to be a static one.
  if (spawnSync('ldd', [busybox]).status === 0)
    return `${busybox} is not statically linked (package busybox-static)`;
  return undefined;
}

/** What is not as usual in a private Podman. */
export interface EngineChange {
  readonly runtime?: { readonly name: string; readonly path: string };
  readonly driver?: 'overlay' | 'vfs';
  /** The graph root of another engine, whose images this one has, too. */
  readonly imageStore?: string;
}

/** A private Podman with storage of its own in a temporary directory, and an image with busybox in it. */
export class PodmanHarness implements ContractBackend {
  readonly image = image;
  readonly runtime: PodmanRuntime;
  readonly dir: string;
  readonly service: ServiceOptions;
  readonly engine: Engine;
  #names = 0;

  static async open(registry?: string, change: EngineChange = {}): Promise<PodmanHarness> {
    const dir = await mkdtemp(join(tmpdir(), 'koji-adjutant-podman-'));
    for (const name of ['home', 'run', 'work', 'koji', 'logs']) await mkdir(join(dir, name), { mode: 0o700 });
    await writeFile(join(dir, 'containers.conf'), containersConf(change));
    await writeFile(join(dir, 'storage.conf'), storageConf(dir, change));
    await writeFile(join(dir, 'registries.conf'), registriesConf(registry));
    const harness = new PodmanHarness(dir);
    await ensureService(harness.service, never);
    await harness.#makeImage();
    return harness;
  }

  private constructor(dir: string) {
    this.dir = dir;
    this.service = {
      socketPath: join(dir, 'podman.sock'),
      logPath: join(dir, 'service.log'),
      env: {
        PATH: process.env['PATH'],
        HOME: join(dir, 'home'),
        XDG_RUNTIME_DIR: join(dir, 'run'),
        TMPDIR: dir,
        CONTAINERS_CONF: join(dir, 'containers.conf'),
        CONTAINERS_STORAGE_CONF: join(dir, 'storage.conf'),
        CONTAINERS_REGISTRIES_CONF: join(dir, 'registries.conf'),
      },
      clock: systemClock,
      timeoutMs: 20_000,
    };
    this.engine = new Engine({ ...this.#waiting, clock: systemClock });
    this.runtime = this.runtimeWith(systemClock);
  }

  get ports(): ContainerBackend {
    return this.runtime.ports;
  }

  /** A runtime of the same engine, whose time goes by this clock. */
  runtimeWith(clock: Clock): PodmanRuntime {
    const { dir } = this;
    return new PodmanRuntime({
      ...this.#waiting,
      clock,
      pullMs: 60_000,
      places: { workDir: join(dir, 'work'), topDir: join(dir, 'koji'), logDir: join(dir, 'logs') },
      logger: createLogger('warn'),
      ulimits: testUlimits,
    });
  }

  get #waiting() {
    return { socketPath: this.service.socketPath, reconnectMs: 10_000, timeoutMs: 60_000 };
  }

  spec(process: ContractProcess): ContainerSpec {
    if (process.cannotStart === true) return { ...this.shell(''), command: ['/no/such/program'] };
    const { system } = process;
    const installed = system === undefined ? [] : [`busybox cp -a /bin /etc /tmp ${system}`];
    const files = Object.entries(process.files ?? {}).map(
      ([path, text]) => `mkdir -p "$(dirname ${path})"; printf %s ${quoted(text)} > ${path}`,
    );
    const output = process.output === undefined ? [] : [`printf '${octal(process.output)}'`];
    const end = {
      asked: 'while :; do sleep 0.02; done',
      killed: 'while :; do sleep 0.02; done',
      none: `exit ${process.exitCode ?? 0}`,
    }[process.until ?? 'none'];
    const trap = { asked: "trap 'exit 143' TERM", killed: "trap '' TERM", none: ':' }[
      process.until ?? 'none'
    ];
    return this.shell([trap, ...installed, ...files, ...output, end].join('\n'));
  }

  /** A spec that runs a script as root with few capabilities. */
  shell(script: string, change: Partial<ContainerSpec> = {}): ContainerSpec {
    this.#names += 1;
    return {
      name: `contract-${process.pid}-${this.#names}`,
      root: { kind: 'image', image },
      command: ['/bin/sh', '-c', script],
      env: {},
      workdir: '/',
      user: { uid: 0, gid: 0 },
      capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'],
      isolation: 'plain',
      network: 'none',
      hostname: 'builder.example.com',
      mounts: [],
      limits: { pids: 100 },
      owner: { workerId, taskId: 1, phase: 'build', attempt: 1 },
      labels: {},
      ...change,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { id } of await this.runtime.list(workerId, never)) await this.runtime.remove(id);
    await stopService(this.service);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) {
      for (const target of mountsBelow(this.dir)) execFileSync('umount', [target]);
    } else {
      // Files of the user namespace's other ids can be removed from inside only, and storage is mounted on itself.
      const storage = join(this.dir, 'home', '.local', 'share', 'containers', 'storage');
      const script = `umount ${quoted(join(storage, 'overlay'))} && rm -rf ${quoted(storage)}`;
      execFileSync('podman', ['unshare', 'sh', '-c', script], { env: { ...this.service.env } });
      await this.#endPauseProcess();
    }
    await rm(this.dir, { recursive: true, force: true });
  }

  async #makeImage(): Promise<void> {
    const tar = pack();
    const directory = (name: string, mode = 0o755) => tar.entry({ name, type: 'directory', mode });
    for (const name of ['bin', 'etc']) directory(name);
    directory('tmp', 0o1777);
    tar.entry({ name: 'bin/busybox', mode: 0o755 }, await readFile(busybox ?? ''));
    tar.entry({ name: 'bin/sh', type: 'symlink', linkname: 'busybox' });
    tar.entry({ name: 'etc/passwd' }, 'root:x:0:0:root:/:/bin/sh\n');
    tar.finalize();
    await this.engine.text({
      what: 'import the test image',
      method: 'POST',
      path: `${libpod}/images/import`,
      query: { reference: image },
      file: await buffer(tar),
      ok: [200],
    });
  }

  async #endPauseProcess(): Promise<void> {
    const pid = Number(await readFile(join(this.dir, 'run', 'libpod', 'tmp', 'pause.pid'), 'utf8'));
    process.kill(pid, 'SIGKILL');
  }
}

/** Why a rootless Podman cannot be tested here. When this is root's process, it becomes an ordinary user's, for good. */
export function becomeOrdinaryUser(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const user = usersWithSubordinateIds().find((name) => name !== 'root' && canReadHere(name));
  if (user === undefined) return 'there is no ordinary user with ranges in /etc/subuid and /etc/subgid';
  const [, , uid, gid] = passwdLine(user);
  process.setgroups?.([Number(gid)]);
  process.setgid?.(Number(gid));
  process.setuid?.(Number(uid));
  return undefined;
}

function usersWithSubordinateIds(): readonly string[] {
  const names = (path: string): string[] =>
    existsSync(path)
      ? readFileSync(path, 'utf8')
          .split('\n')
          .map((line) => line.split(':'))
          .filter(
            ([name, , count]) => name !== undefined && Number(count) >= 65_536 && passwdLine(name).length > 0,
          )
          .map(([name]) => name ?? '')
      : [];
  const groups = new Set(names('/etc/subgid'));
  return names('/etc/subuid').filter((name) => groups.has(name));
}

function passwdLine(user: string): readonly string[] {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${user}:`));
  return line === undefined ? [] : line.split(':');
}

/** The checkout may lie in a home that only its owner can enter. */
function canReadHere(user: string): boolean {
  const uid = Number(passwdLine(user)[2]);
  process.seteuid?.(uid);
  try {
    accessSync(import.meta.filename, constants.R_OK);
    return true;
  } catch {
    return false;
  } finally {
    process.seteuid?.(0);
  }
}

function containersConf({ runtime }: EngineChange): string {
  const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const chosen = isUnified ? '' : 'runtime = "runc"';
  return `
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=20000:20000"]
log_size_max = 8192
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
exit_command_delay = 3
${runtime === undefined ? chosen : `runtime = "${runtime.name}"\n[engine.runtimes]\n${runtime.name} = ["${runtime.path}"]`}
`;
}

function storageConf(dir: string, { driver = 'overlay', imageStore }: EngineChange): string {
  return `
[storage]
driver = "${driver}"
graphroot = "${join(dir, 'storage')}"
runroot = "${join(dir, 'storage-run')}"
${imageStore === undefined ? '' : `[storage.options]\nadditionalimagestores = ["${imageStore}"]`}
`;
}

function registriesConf(registry: string | undefined): string {
  return registry === undefined ? '' : `[[registry]]\nlocation = "${registry}"\ninsecure = true\n`;
}

function mountsBelow(dir: string): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => target.startsWith(`${dir}/`))
    .toReversed();
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function octal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

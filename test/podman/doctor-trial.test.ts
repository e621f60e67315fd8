import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askInfo, Engine, libpod } from '../../src/container/podman/api/client.ts';
import { ListedImages } from '../../src/container/podman/api/schema.ts';
import { stopService } from '../../src/container/podman/api/service.ts';
import { ping } from '../../src/container/podman/api/socket.ts';
import { rootLabels } from '../../src/container/podman/image-store.ts';
import { systemClock } from '../../src/core/clock.ts';
import { never } from '../../src/core/never.ts';
import { type OrdinaryUser, ordinaryUser } from '../e2e/surroundings.ts';
import { type EngineChange, PodmanHarness, podmanMissing } from './container-harness.ts';

const run = promisify(execFile);
const cli = join(import.meta.dirname, '../../src/cli.ts');
/** A trial takes some twenty seconds, and minutes where other tests run beside it. */
const timeout = 600_000;
const image = process.env['KOJI_ADJUTANT_TEST_IMAGE'] ?? '';
const dnf5Image = process.env['KOJI_ADJUTANT_TEST_DNF5_IMAGE'] ?? '';
const socketPath = process.env['KOJI_ADJUTANT_TEST_ENGINE_SOCKET'] ?? '';
const noImage =
  socketPath === '' || image === ''
    ? ': KOJI_ADJUTANT_TEST_ENGINE_SOCKET and KOJI_ADJUTANT_TEST_IMAGE are not set (scripts/test.sh does)'
    : '';
const noDnf5 = dnf5Image === '' ? ': KOJI_ADJUTANT_TEST_DNF5_IMAGE is not set (scripts/test.sh)' : '';
const user = ordinaryUser();
const missing =
  podmanMissing() ?? (process.getuid?.() === 0 ? undefined : 'another store is read as root only');

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'koji-adjutant-trial-test-'));
  await chmod(dir, 0o755);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

interface Report {
  readonly code: unknown;
  readonly output: string;
  /** Levels of the findings about the trial build, by the part. */
  readonly parts: Readonly<Record<string, string>>;
}

/** `koji-adjutant doctor` with a hub that is not there. */
async function doctor(
  engine: { readonly socket: string; readonly image: string; readonly as?: OrdinaryUser },
  options: readonly string[] = [],
): Promise<Report> {
  const work = join(dir, 'work');
  const conf = join(dir, 'kojid.conf');
  const hub = 'server = http://127.0.0.1:9/kojihub\ntopurl = http://127.0.0.1:9/kojifiles\n';
  await writeFile(conf, `[kojid]\n${hub}topdir = ${dir}\nworkdir = ${work}\nuser = b\npassword = x\n`);
  const words = [cli, 'doctor', '-c', conf, ...options];
  const env = {
    PATH: process.env['PATH'],
    HOME: engine.as?.home ?? dir,
    CONTAINER_HOST: `unix://${engine.socket}`,
    KOJI_ADJUTANT_TASK_IMAGE_DEFAULT: engine.image,
  };
  if (engine.as !== undefined) await chown(dir, engine.as.uid, engine.as.gid);
  const child =
    engine.as === undefined
      ? spawn(process.execPath, words, { env, stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn('setpriv', [...engine.as.becoming, process.execPath, ...words], {
          env,
          stdio: ['ignore', 'pipe', 'inherit'],
        });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  const found = [...output.matchAll(/^(ok|warn|FAIL) +trial build: ([^:]+): /gm)];
  // Nothing of it is left, not even the work directory, which was not there.
  expect(await readdir(dir)).toEqual(['kojid.conf']);
  return {
    code,
    output,
    parts: Object.fromEntries(found.map(([, level, part]) => [part ?? '', level ?? ''])),
  };
}

const allOk = {
  'work area': 'ok',
  packages: 'ok',
  solve: 'ok',
  install: 'ok',
  snapshot: 'ok',
  rpmbuild: 'ok',
  results: 'ok',
  limits: 'ok',
  'clean-up': 'ok',
};

/** Snapshots that the engine keeps for work areas below this test's directory. */
async function snapshotsOf(socket: string): Promise<readonly string[]> {
  const engine = new Engine({ socketPath: socket, clock: systemClock, timeoutMs: 60_000, reconnectMs: 0 });
  const images = await engine.call(ListedImages, {
    what: 'list snapshots',
    method: 'GET',
    path: `${libpod}/images/json`,
    query: { filters: JSON.stringify({ label: [rootLabels.key] }) },
    ok: [200],
  });
  return (images ?? []).flatMap(({ Labels }) => {
    const area = Labels?.[rootLabels.area] ?? '';
    return area.startsWith(dir) ? [area] : [];
  });
}

async function limitsHold(socket: string): Promise<boolean> {
  const engine = new Engine({ socketPath: socket, clock: systemClock, timeoutMs: 60_000, reconnectMs: 0 });
  const { host } = await askInfo(engine, never);
  return !(host.security.rootless && host.cgroupVersion === 'v1');
}

describe.skipIf(noImage !== '')(`the trial build of the doctor${noImage}`, { timeout }, () => {
  it('builds on a rootful engine and leaves nothing', async () => {
    const { output, parts } = await doctor({ socket: socketPath, image });

    expect(parts, output).toEqual(allOk);
    expect(output).toMatch(/rpmbuild \d\S+ as uid 1000, without network, twice/);
    expect(output).toMatch(
      /killed by the memory limit of 192 MiB .* limit of 48 processes .* killed by the disk limit/,
    );
    expect(await snapshotsOf(socketPath)).toEqual([]);
  });

  it.skipIf(noDnf5 !== '')(`builds with dnf 5 and a new rpm, too${noDnf5}`, async () => {
    const { output, parts } = await doctor({ socket: socketPath, image: dnf5Image });

    expect(parts, output).toEqual(allOk);
  });

  it('builds on a rootless engine', async ({ skip }) => {
    if (typeof user === 'string') return skip(user);
    const { output, parts } = await doctor({ socket: user.socket, image, as: user });

    const limits = (await limitsHold(user.socket)) ? 'ok' : 'warn';
    expect(parts, output).toEqual({ ...allOk, limits });
    expect(await snapshotsOf(user.socket)).toEqual([]);
  });

  it('is left out of a quick look, which proves nothing', async () => {
    const { output, parts } = await doctor({ socket: socketPath, image }, ['--quick']);

    expect(parts).toEqual({});
    expect(output).not.toContain('This host can build');
  });
});

const skipped = noImage !== '' ? noImage : missing === undefined ? '' : `: ${missing}`;

describe.skipIf(skipped !== '')(
  `the trial build on a host on which builds fail${skipped}`,
  { timeout },
  () => {
    let engines: string;
    beforeEach(async () => {
      engines = await mkdtemp(join(tmpdir(), 'koji-adjutant-runtime-'));
    });
    afterEach(() => rm(engines, { recursive: true, force: true }));

    async function privateEngine(change: EngineChange = {}): Promise<PodmanHarness> {
      const engine = new Engine({ socketPath, clock: systemClock, timeoutMs: 60_000, reconnectMs: 0 });
      const { store } = await askInfo(engine, never);
      return PodmanHarness.open(undefined, { imageStore: store.graphRoot, ...change });
    }

    /** The bootstrap image after a script has changed it. */
    async function changedImage({ service }: PodmanHarness, script: string): Promise<string> {
      const name = 'localhost/koji-adjutant-trial-test:1';
      const podman = (...words: readonly string[]) => run('podman', [...words], { env: { ...service.env } });
      await podman('run', '--name', 'change', '--network', 'none', image, 'bash', '-euc', script);
      await podman('commit', '--quiet', 'change', name);
      await podman('rm', 'change');
      return name;
    }

    /** A runtime that is another one but for what a script does before. */
    async function runtime(before: string): Promise<NonNullable<EngineChange['runtime']>> {
      const path = join(engines, 'odd');
      const real = '$(command -v runc || command -v crun)';
      await writeFile(path, `#!/bin/bash\n${before}\nexec "${real}" "$@"\n`, { mode: 0o755 });
      return { name: 'odd', path };
    }

    /** What crun does: it makes no directory for such a mount. */
    const refusesMounts = `if [[ " $* " == *" create "* ]]; then
  for ((i = 1; i < $#; i++)); do [ "\${!i}" != --bundle ] || { j=$((i + 1)); bundle=\${!j}; }; done
  if grep -q '"/mnt/root/proc"' "$bundle/config.json"; then
    echo 'crun: invalid target mnt/root/proc: it must be mounted at the root' >&2
    exit 1
  fi
fi`;

    it('names the runtime that refuses a mount of builds only', async () => {
      const odd = await runtime(refusesMounts);
      await using harness = await privateEngine({ runtime: odd });

      const { code, output, parts } = await doctor({ socket: harness.service.socketPath, image });

      expect(output).toMatch(/^ok +OCI runtime odd: ran \/bin\/true/m);
      expect(parts, output).toEqual({ 'work area': 'ok', packages: 'ok', install: 'FAIL', 'clean-up': 'ok' });
      expect(output).toMatch(/install: .*must be mounted at the root.*the OCI runtime odd refuses a mount/);
      expect(code).toBe(1);
    });

    it('names the runtime that starts nothing', async () => {
      const odd = await runtime('[[ " $* " != *" create "* ]] || { echo "no such luck" >&2; exit 1; }');
      await using harness = await privateEngine({ runtime: odd });

      const { output, parts } = await doctor({ socket: harness.service.socketPath, image });

      expect(output).toMatch(/^FAIL +OCI runtime odd: .*no such luck/m);
      expect(parts).toEqual({});
      expect(output).not.toContain('This host can build');
    });

    it('says that the package manager of the image crashes on a group', async () => {
      await using harness = await privateEngine();
      const crashing = await changedImage(
        harness,
        `printf '#!/bin/bash\\ncase "$*" in *--help*) exit 0;; esac\\nkill -SEGV $$\\n' >/usr/sbin/dnf-3; chmod 755 /usr/sbin/dnf-3`,
      );

      const { output, parts } = await doctor({ socket: harness.service.socketPath, image: crashing });

      expect(parts, output).toEqual({ 'work area': 'ok', packages: 'ok', solve: 'FAIL', 'clean-up': 'ok' });
      expect(output).toMatch(
        /solve: choose packages for @build .*SIGSEGV.*the package manager of \S+ crashes/,
      );
    });

    it('says what it had to do without in the image', async () => {
      await using harness = await privateEngine();
      const small = await changedImage(harness, 'rm -f "$(type -P rpmbuild)" "$(type -P useradd)"');

      const { output, parts } = await doctor({ socket: harness.service.socketPath, image: small });

      expect(parts, output).toEqual(allOk);
      expect(output).toContain('a stand-in for rpmbuild, which the image has not, as uid 1000');
      expect(output).toContain('no useradd in the image');
    });

    it('says that the engine sees other files than this host', async () => {
      await using harness = await privateEngine();
      const { service } = harness;
      await stopService(service);
      const elsewhere = `mount --make-rprivate / && mount -t tmpfs none ${dir} && exec podman system service --time=0 unix://${service.socketPath}`;
      const env = { ...service.env };
      spawn('unshare', ['-m', 'sh', '-c', elsewhere], { env, stdio: 'ignore', detached: true }).unref();
      await vi.waitFor(() => ping(service.socketPath, systemClock, never), {
        timeout: 60_000,
        interval: 100,
      });

      const { output, parts } = await doctor({ socket: service.socketPath, image });

      expect(parts, output).toEqual({ 'work area': 'FAIL', 'clean-up': 'ok' });
      expect(output).toMatch(/work area: .*the engine has to run on this host and see its files/);
    });

    it('says that an engine which copies whole images will not do', async () => {
      await using harness = await PodmanHarness.open(undefined, { driver: 'vfs' });

      const { output, parts } = await doctor({ socket: harness.service.socketPath, image: harness.image });

      expect(output).toMatch(/^FAIL +storage driver: vfs, which copies the whole root .*driver = "overlay"/m);
      expect(parts).toEqual({});
    });
  },
);

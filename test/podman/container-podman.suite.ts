import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { libpod } from '../../src/container/podman/api/client.ts';
import { ensureService, stopService } from '../../src/container/podman/api/service.ts';
import { findSocket } from '../../src/container/podman/api/socket.ts';
import { cgroupLookMs } from '../../src/container/podman/limits/limit-watch.ts';
import { PodmanRuntime } from '../../src/container/podman/podman-runtime.ts';
import type { Draft } from '../../src/container/root-store.ts';
import type { ContainerSpec, FailedStepRoot, Mount } from '../../src/container/spec.ts';
import type { Container } from '../../src/container/step-runtime.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createLogger } from '../../src/core/logger.ts';
import { never } from '../../src/core/never.ts';
import { outputOf } from '../contract/step-runtime.contract.ts';
import { PodmanHarness, testUlimits } from './container-harness.ts';
import { TinyRegistry } from './container-registry.ts';

/** What Podman has to do beyond the contract of all back ends. */
export function describePodman(name: string): void {
  describe(`PodmanRuntime: ${name}`, () => {
    let registry: TinyRegistry;
    let podman: PodmanHarness;
    const containers: Container[] = [];
    const drafts: Draft[] = [];
    const rootName = { key: 'f'.repeat(64), area: '/srv/suite' };

    beforeAll(async () => {
      registry = await TinyRegistry.open({ good: 'image', other: 'image', secret: 'denied', sick: 'broken' });
      podman = await PodmanHarness.open(registry.host);
    });

    afterEach(async () => {
      for (const container of containers.splice(0).toReversed()) await container[Symbol.asyncDispose]();
      for (const draft of drafts.splice(0)) await draft[Symbol.asyncDispose]();
      await podman.runtime.roots.remove(rootName);
      expect(await readdir(join(podman.dir, 'logs'))).toEqual([]);
      expect(mountsOfRoots(podman.dir)).toEqual([]);
    });

    afterAll(async () => {
      await podman?.[Symbol.asyncDispose]();
      await registry?.[Symbol.asyncDispose]();
    });

    async function create(spec: ContainerSpec): Promise<Container> {
      const container = await podman.runtime.create(spec, never);
      containers.push(container);
      return container;
    }

    async function prepare(): Promise<Draft> {
      const owner = { workerId: 'suite', taskId: 1, phase: 'root', attempt: 1 };
      const name = `suite-draft-${process.pid}-${drafts.length}`;
      const draft = await podman.runtime.roots.prepare({ name, parent: null, owner, labels: {} }, never);
      drafts.push(draft);
      return draft;
    }

    /** A root that visitors may enter, which a script has left. */
    async function left(script: string): Promise<FailedStepRoot> {
      const container = await create(podman.shell(script));
      await container.start(never);
      await container.wait(never);
      return (await container.keepRoot(never)).root;
    }

    const visit = (root: FailedStepRoot, ...stays: readonly string[]): Partial<ContainerSpec> => ({
      root: { kind: 'visit', root, stays },
    });

    /** Runs a script to its end and gives its output. */
    async function run(script: string, change: Partial<ContainerSpec> = {}): Promise<string> {
      const container = await create(podman.shell(script, change));
      await container.start(never);
      return (await outputOf(container)).toString();
    }

    describe('isolation', () => {
      it('leaves an ordinary process no capability and no way to get one', async () => {
        const output = await run('busybox grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status', {
          capabilities: [],
          user: { uid: 1000, gid: 1000 },
        });

        expect(output.match(/^Cap\w+:\t0{16}$/gm)).toHaveLength(5);
        expect(output).toContain('NoNewPrivs:\t1');
        expect(output).toContain('Seccomp:\t2');
      });

      it('gives the capabilities of the spec and no other', async () => {
        const output = await run('busybox grep CapBnd /proc/self/status', {
          capabilities: ['CHOWN', 'SYS_CHROOT'],
        });

        expect(output).toBe('CapBnd:\t0000000000040001\n');
      });

      it('has no network but lo', async () => {
        const output = await run('busybox ip -o link | busybox cut -d: -f2');

        expect(output).toBe(' lo\n');
      });

      it('shows neither firmware nor a writable /proc/sys', async () => {
        const output = await run('exec 2>&1; busybox ls /sys/firmware; echo x > /proc/sys/kernel/hostname');

        expect(output).toMatch(/^[^\n]*Read-only file system\n$/);
      });

      it('sets limits, host name, user, environment and working directory', async () => {
        const script =
          'ulimit -n; ulimit -u; busybox hostname; busybox id -u; busybox id -g; echo $GREETING; pwd; busybox df -k /dev/shm | busybox tail -1';
        const output = await run(script, {
          limits: {
            pids: 50,
            memoryBytes: 64 << 20,
            cpus: 0.5,
            shmBytes: 1 << 20,
            ulimits: { nofile: { soft: 100, hard: 200 } },
          },
          user: { uid: 1000, gid: 1001 },
          env: { GREETING: 'hello' },
          workdir: '/etc',
        });

        const [files, processes, ...rest] = output.split('\n');
        expect(files).toBe('100');
        expect(processes).toBe('20000');
        expect(rest.slice(0, 5)).toEqual(['builder.example.com', '1000', '1001', 'hello', '/etc']);
        expect(rest[5]).toMatch(/shm\s+1024 /);
      });

      it('leaves /etc/hosts, /etc/resolv.conf and /etc/passwd to the root', async () => {
        const output = await run('busybox ls /etc; busybox cat /etc/passwd', {
          user: { uid: 4242, gid: 4242 },
        });

        expect(output).not.toMatch(/hosts|resolv|4242/);
      });

      it('gives the environment of the spec and nothing of its own', async () => {
        const output = await run('busybox env', {
          env: { GREETING: 'hello', HOME: '/h', HOSTNAME: 'n', PATH: '/bin' },
        });

        expect(
          output
            .trimEnd()
            .split('\n')
            .filter((line) => !/^(PWD|SHLVL|OLDPWD|_)=/.test(line))
            .toSorted(),
        ).toEqual(['GREETING=hello', 'HOME=/h', 'HOSTNAME=n', 'PATH=/bin']);
      });

      it('runs programs from /dev/shm', async () => {
        const output = await run('busybox cp /bin/busybox /dev/shm/busybox && /dev/shm/busybox echo ran', {
          limits: { pids: 100, shmBytes: 8 << 20 },
          user: { uid: 1000, gid: 1000 },
        });

        expect(output).toBe('ran\n');
      });

      it('leaves a limit open', async () => {
        const output = await run('ulimit -Sc; ulimit -Hc', {
          limits: { pids: 100, ulimits: { core: { soft: 0, hard: -1 } } },
        });

        expect(output).toBe('0\nunlimited\n');
      });

      it('ends its output when a process left behind holds that open', async () => {
        const output = await run('(busybox sleep 1000) & echo hello');

        expect(output).toBe('hello\n');
      });

      it('describes what runs in it', async () => {
        const container = await create(podman.shell('busybox sleep 1000; exit 1'));
        await container.start(never);
        const leave = new AbortController();
        const waiting = container.wait(leave.signal).catch(() => undefined);

        await expect
          .poll(() => container.describe())
          .toMatch(
            /^running by podman's word \S+ s ago; process \d+ S.* \/bin\/sh -c .*; process \d+ S.* busybox sleep 1000; monitored by process \d+ S.*conmon/,
          );
        leave.abort();
        await waiting;
      });

      it('kills what the main process left behind', async () => {
        const output = await run(
          `busybox setsid sh -c 'trap "" TERM HUP; while :; do busybox sleep 0.05; done' & echo "$!"`,
        );

        expect(output).toMatch(/^\d+\n$/);
        expect(await processesWith('while :; do busybox sleep 0.05; done')).toEqual([]);
      });
    });

    describe('limits', () => {
      it('of memory: says when the kernel has killed a process, whatever becomes of the others', async ({
        skip,
      }) => {
        if (!(await podman.runtime.probe(never)).limitsEnforced) skip('this engine ignores limits');
        const memoryBytes = 32 << 20;
        // Grows in memory until it is killed; its shell ends at once, and with the script's own code.
        const script = `busybox awk 'BEGIN { s = "x"; while (1) s = s s }'; exit 3`;
        const container = await create(podman.shell(script, { limits: { pids: 100, memoryBytes } }));
        await container.start(never);

        const { code, ranInto } = await container.wait(never);

        expect(code).toBe(3);
        expect(ranInto).toEqual({ limit: 'memory', allowed: memoryBytes, peak: expect.any(Number) });
        expect(ranInto?.peak).toBeGreaterThanOrEqual(memoryBytes);
      });

      it('of memory: says so when the main process itself was killed', async ({ skip }) => {
        if (!(await podman.runtime.probe(never)).limitsEnforced) skip('this engine ignores limits');
        const command = ['/bin/busybox', 'awk', 'BEGIN { s = "x"; while (1) s = s s }'];
        const limits = { pids: 100, memoryBytes: 32 << 20 };
        const container = await create(podman.shell('', { command, limits }));
        await container.start(never);

        expect(await container.wait(never)).toMatchObject({ code: 137, ranInto: { limit: 'memory' } });
      });

      it('of memory: says so when nobody has looked between the kill and the end of its cgroup', async ({
        skip,
      }) => {
        if (!(await podman.runtime.probe(never)).limitsEnforced) skip('this engine ignores limits');
        // As on a busy host: the watch sleeps until it is too late.
        const busy = podman.runtimeWith({
          ...systemClock,
          sleep: (ms, signal) => systemClock.sleep(ms === cgroupLookMs ? 600_000 : ms, signal),
        });
        const started = async (script: string) => {
          const limits = { pids: 100, memoryBytes: 32 << 20 };
          const container = await busy.create(podman.shell(script, { limits }), never);
          containers.push(container);
          await container.start(never);
          return container;
        };
        const container = await started(
          `busybox sleep 1; busybox awk 'BEGIN { s = "x"; while (1) s = s s }'; exit 3`,
        );
        const other = await started('busybox sleep 1; exit 4');
        expect(cgroupsOf(container)).not.toEqual([]);
        await expect.poll(() => cgroupsOf(container), { timeout: 20_000 }).toEqual([]);

        expect(await container.wait(never)).toMatchObject({ code: 3, ranInto: { limit: 'memory' } });
        expect(await other.wait(never)).not.toHaveProperty('ranInto');
      });

      it('of processes: says when the kernel has refused one', async ({ skip }) => {
        if (!(await podman.runtime.probe(never)).limitsEnforced) skip('this engine ignores limits');
        const script = `sh -c 'for i in $(busybox seq 40); do busybox sleep 1 & done'; exec busybox sleep 0.5`;
        const container = await create(podman.shell(script, { limits: { pids: 20 } }));
        await container.start(never);

        expect(await container.wait(never)).toMatchObject({
          ranInto: { limit: 'pids', allowed: 20, peak: 20 },
        });
      });

      it('of disk: counts what is written to a throw-away layer and to a draft', async ({ skip }) => {
        if (process.getuid?.() !== 0) skip('only root sees throw-away layers');
        const { root } = await prepare();
        const write = (place: string) =>
          `busybox dd if=/dev/zero of=${place}/file bs=1M count=3 2>/dev/null;`;
        const mounts: readonly Mount[] = [{ kind: 'root', root, target: '/builddir', access: 'write' }];
        const change = { ...visit(await left('')), mounts, limits: { pids: 100, diskBytes: 5 << 20 } };
        const script = `${write('/builddir')}${write('/tmp')}while :; do busybox sleep 0.05; done`;
        const container = await create(podman.shell(script, change));
        await container.start(never);

        const { code, ranInto } = await container.wait(never);

        expect(code).toBe(137);
        expect(ranInto).toMatchObject({ limit: 'disk', allowed: 5 << 20 });
        expect(ranInto?.peak).toBeGreaterThan(6 << 20);
      });

      it('of disk: counts what is written to a draft alone, without root rights as well', async () => {
        const { root } = await prepare();
        const script =
          'busybox dd if=/dev/zero of=/builddir/f bs=1M count=3 2>/dev/null; while :; do busybox sleep 0.05; done';
        const container = await create(
          podman.shell(script, {
            mounts: [{ kind: 'root', root, target: '/builddir', access: 'write' }],
            limits: { pids: 100, diskBytes: 2 << 20 },
          }),
        );
        await container.start(never);

        expect(await container.wait(never)).toMatchObject({ code: 137, ranInto: { limit: 'disk' } });
      });
    });

    describe('others', () => {
      const running = async () => {
        const container = await create(podman.shell('echo up; busybox sleep 600'));
        await container.start(never);
        for await (const _ of container.output(never)) break;
        return container;
      };

      it('that remove a container which runs take its end away, too', async () => {
        const removed = await Promise.all([running(), running(), running()]);
        const ends = removed.map((container) => container.wait(never));
        const outcomes = Promise.allSettled(ends);

        for (const { id } of removed) await podman.runtime.remove(id);

        for (const outcome of await outcomes)
          expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'no-such-container' } });
      });

      it('that kill its monitor end it within a bounded time, and how it went is unknown', async () => {
        const container = await create(podman.shell('echo hello; while :; do busybox sleep 1; done'));
        await container.start(never);
        const ended = container.wait(never);
        const failing = expect(ended).rejects.toMatchObject({ code: 'end-unseen', blame: 'builder' });
        const [monitor] = await monitorsOf(container);
        process.kill(Number(monitor), 'SIGKILL');

        await failing;
        expect(await container.describe()).toMatch(/podman's word/);
        await container[Symbol.asyncDispose]();
        expect(await processesWith(container.id)).toEqual([]);
      }, 120_000);

      it('that kill it do not', async () => {
        const killed = await running();
        const end = killed.wait(never);

        await podman.engine.text({
          what: 'kill',
          method: 'POST',
          path: `${libpod}/containers/${killed.id}/kill`,
          ok: [204],
          query: { signal: 'SIGKILL' },
        });

        expect(await end).toMatchObject({ code: 137 });
      });
    });

    describe('mounts', () => {
      it("shows the kernel's view below another root, read-only and without what is hidden", async () => {
        const script = `
          exec 2>&1
          busybox ls -d /r/proc/self /r/sys/kernel
          echo x > /r/proc/sys/kernel/core_pattern
          busybox ls /r/sys/firmware
          busybox head -c1 /r/proc/keys`;
        const { root } = await prepare();
        const output = await run(script, {
          mounts: [
            { kind: 'root', root, target: '/r', access: 'write' },
            { kind: 'kernel', fileSystem: 'proc', target: '/r/proc' },
            { kind: 'kernel', fileSystem: 'sysfs', target: '/r/sys' },
          ],
        });

        expect(output).toMatch(/^\/r\/proc\/self\n\/r\/sys\/kernel\n.*Read-only file system\n$/);
      });

      it('mounts no view of the kernel on a link of a root', async () => {
        const { root } = await prepare();
        const lent: Mount = { kind: 'root', root, target: '/r', access: 'write' };
        await run('busybox mkdir /r/elsewhere; busybox ln -s elsewhere /r/link', { mounts: [lent] });
        const kernel: Mount = { kind: 'kernel', fileSystem: 'proc', target: '/r/link' };

        const created = create(podman.shell('', { mounts: [lent, kernel] }));

        await expect(created).rejects.toMatchObject({
          code: 'bad-spec',
          message: expect.stringContaining('/link'),
        });
      });

      it('mounts parts of the work area, read-only where asked', async () => {
        await mkdir(join(podman.dir, 'work/task/in'), { recursive: true });
        await mkdir(join(podman.dir, 'work/task/out'), { recursive: true });
        await writeFile(join(podman.dir, 'work/task/in/script'), 'content');

        const output = await run(
          'busybox cat /in/script; echo hi > /out/file; echo x > /in/x || echo refused',
          {
            mounts: [
              { kind: 'work', path: 'task/in', target: '/in', readOnly: true },
              { kind: 'work', path: 'task/out', target: '/out', readOnly: false },
            ],
          },
        );

        expect(output).toMatch(/^content/);
        expect(output).toMatch(/refused/);
        expect(await readFile(join(podman.dir, 'work/task/out/file'), 'utf8')).toBe('hi\n');
      });

      it('never writes to the hub tree', async () => {
        await mkdir(join(podman.dir, 'koji/repos/1'), { recursive: true });

        const output = await run('echo x > /repo/x || echo refused', {
          mounts: [{ kind: 'koji', path: 'repos/1', target: '/repo' }],
        });

        expect(output).toMatch(/refused/);
      });

      it('gives an empty memory file system of the wanted size', async () => {
        const output = await run('busybox ls -A /bin | /tmp/busybox wc -l', {
          command: [
            '/tmp/busybox',
            'sh',
            '-c',
            '/tmp/busybox ls -A /bin; /tmp/busybox df -k /bin | /tmp/busybox tail -1',
          ],
          mounts: [
            { kind: 'scratch', target: '/bin', sizeBytes: 1 << 20 },
            { kind: 'host', source: '/bin/busybox', target: '/tmp/busybox', readOnly: true },
          ],
        });

        expect(output).toMatch(/^tmpfs\s+1024 /);
      });

      it('mounts a device of the host as a device', async () => {
        const mounts: readonly Mount[] = [
          { kind: 'host', source: '/dev/zero', target: '/zero', readOnly: false },
        ];
        const output = await run('busybox head -c 3 /zero | busybox wc -c', { mounts });

        expect(output).toBe('3\n');
      });

      it.each([
        [{ kind: 'work', path: 'not/there', target: '/x', readOnly: true }],
        [{ kind: 'koji', path: 'not/there', target: '/x' }],
        [{ kind: 'host', source: '/not/there', target: '/x', readOnly: true }],
      ] satisfies readonly (readonly [Mount])[])('refuses a source that is not there: %o', async (mount) => {
        const created = create(podman.shell('', { mounts: [mount] }));

        await expect(created).rejects.toMatchObject({ code: 'bad-spec' });
        expect(() => lstatSync(join(podman.dir, 'work/not'))).toThrow('ENOENT');
      });

      it('follows no link that a container left in the work area', async () => {
        await mkdir(join(podman.dir, 'work/linked'), { recursive: true });
        await symlink('/etc', join(podman.dir, 'work/linked/out'));
        const mounts: readonly Mount[] = [{ kind: 'work', path: 'linked/out', target: '/x', readOnly: true }];

        await expect(create(podman.shell('', { mounts }))).rejects.toMatchObject({ code: 'bad-spec' });
      });
    });

    describe('roots', () => {
      it('fills a draft through a mount, and runs in what is kept of it', async () => {
        const draft = await prepare();
        const mounts: readonly Mount[] = [
          { kind: 'root', root: draft.root, target: '/mnt/root', access: 'write' },
          { kind: 'host', source: '/dev/null', target: '/mnt/root/dev/null', readOnly: false },
        ];
        const installed = await run(
          'busybox cp /bin/busybox /mnt/root; echo x > /mnt/root/dev/null; busybox ls /mnt/root',
          { mounts },
        );
        const { root: on } = await podman.runtime.roots.commit(draft.root, rootName, never);

        const output = await run('', {
          root: { kind: 'layer', on },
          command: ['/busybox', 'sh', '-c', 'echo "I am $0"'],
        });

        expect(installed).toContain('busybox');
        expect(output).toBe('I am sh\n');
      });

      it("begins a draft with directories for the kernel's views, and nothing else", async () => {
        const { root } = await prepare();
        const mounts: readonly Mount[] = [{ kind: 'root', root, target: '/mnt/root', access: 'copy' }];

        const output = await run('busybox stat -c "%n %u %g %a" /mnt/root/*', { mounts });

        expect(output).toBe('/mnt/root/proc 0 0 555\n/mnt/root/sys 0 0 555\n');
      });

      it('throws the writes of a visitor and to a copy away, but for what a visitor may keep', async () => {
        const root = await left('busybox mkdir /home; echo before > /home/file');
        const change = 'echo changed > /etc/passwd; echo new > /new; busybox cat /etc/passwd /new /home/file';
        const draft = await prepare();
        const mounts: readonly Mount[] = [
          { kind: 'root', root: draft.root, target: '/copy', access: 'copy' },
        ];

        expect(await run(`${change}; echo after > /home/file`, visit(root, '/home'))).toBe(
          'changed\nnew\nbefore\n',
        );
        expect(await run('echo new > /copy/new; busybox ls /copy', { mounts })).toBe('new\nproc\nsys\n');

        const script = 'busybox cat /etc/passwd /home/file; busybox ls /new /copy/new 2>&1';
        const output = await run(script, { ...visit(root), mounts });
        expect(output).toMatch(
          /^root:x:0:0:root:\/:\/bin\/sh\nafter\n.*\/new: No such file.*\n.*\/copy\/new: No such/,
        );
      });

      it('keeps a root mounted while one of several users is left', async () => {
        const root = await left('');
        const first = await podman.runtime.create(podman.shell('echo first', visit(root)), never);
        const second = await create(podman.shell('echo second', visit(root)));

        await first[Symbol.asyncDispose]();
        await second.start(never);

        expect((await outputOf(second)).toString()).toBe('second\n');
      });

      it('follows the links of a root inside that root', async () => {
        const root = await left(
          'busybox mkdir -p /usr/lib/db; busybox ln -s /usr/lib/db /absolute; busybox ln -s ../../../usr/lib /up; busybox ln -s round /round',
        );

        await run('echo one > /absolute/one', visit(root, '/absolute'));
        await run('echo two > /up/db/two', visit(root, '/up/db'));

        expect(await run('busybox cat /usr/lib/db/*', visit(root))).toBe('one\ntwo\n');
        await expect(create(podman.shell('', visit(root, '/round')))).rejects.toThrow('/round');
        const nothing = create(podman.shell('', visit(root, '/nothing')));
        await expect(nothing).rejects.toMatchObject({ code: 'bad-spec' });
      });
    });

    describe('output', () => {
      it('is exact for 50 MB of random bytes, beyond any log size of containers.conf', async () => {
        const sizeBytes = 50 << 20;
        const container = await create(
          podman.shell(
            `busybox head -c ${sizeBytes} /dev/urandom > /tmp/r; busybox sha256sum < /tmp/r; busybox cat /tmp/r`,
          ),
        );
        await container.start(never);
        const digest = createHash('sha256');
        let read = 0;
        let head = Buffer.alloc(0);

        for await (const chunk of container.output(never)) {
          const wanted = Math.max(0, 68 - read);
          head = Buffer.concat([head, chunk.subarray(0, wanted)]);
          digest.update(chunk.subarray(wanted));
          read += chunk.length;
        }

        expect(read).toBe(68 + sizeBytes);
        expect(head.toString()).toBe(`${digest.digest('hex')}  -\n`);
      });
    });

    describe('service', () => {
      it('may be restarted while containers run', async () => {
        const container = await create(podman.shell('echo one; busybox sleep 2; echo two; exit 5'));
        await container.start(never);
        const status = container.wait(never);
        const output = outputOf(container);

        await stopService(podman.service);
        await ensureService(podman.service, never);

        expect(await status).toEqual({ code: 5, oomKilled: false, ranMs: expect.any(Number) });
        expect((await output).toString()).toBe('one\ntwo\n');
      });

      it('is found again instead of started twice', async () => {
        const again = await ensureService(podman.service, never);

        expect(again.started).toBe(false);
        expect(again.pids.length).toBeGreaterThan(0);
      });

      it('is found by its socket', async () => {
        const search = { env: { CONTAINER_HOST: `unix://${podman.service.socketPath}` }, uid: 0 };

        expect(await findSocket(search, systemClock, never)).toBe(podman.service.socketPath);
        await expect(
          findSocket({ ...search, explicit: '/no/such.sock' }, systemClock, never),
        ).rejects.toMatchObject({
          code: 'runtime-down',
        });
      });

      it('is down when nothing answers for the given time', async () => {
        const gone = new PodmanRuntime({
          socketPath: join(podman.dir, 'nobody.sock'),
          places: { workDir: podman.dir, topDir: podman.dir, logDir: podman.dir },
          clock: systemClock,
          logger: createLogger('silent'),
          reconnectMs: 100,
          timeoutMs: 1000,
          pullMs: 60_000,
          ulimits: testUlimits,
        });

        await expect(gone.probe(never)).rejects.toMatchObject({ code: 'runtime-down' });
        await expect(gone.list('w', never)).rejects.toMatchObject({ code: 'runtime-down' });
      });

      it('says what podman said when it does not start', async () => {
        await writeFile(join(podman.dir, 'broken.conf'), '[engine\n');
        const broken = {
          ...podman.service,
          socketPath: join(podman.dir, 'broken.sock'),
          logPath: join(podman.dir, 'broken.log'),
          env: { ...podman.service.env, CONTAINERS_CONF: join(podman.dir, 'broken.conf') },
        };

        await expect(ensureService(broken, never)).rejects.toMatchObject({
          code: 'runtime-down',
          message: expect.stringContaining('broken.conf'),
        });
      });
    });

    describe('images', () => {
      it('pulls what is not there, once for all who ask at the same time', async () => {
        const image = `${registry.host}/good:1`;

        const pulled = await Promise.all(
          [1, 2, 3].map(() => podman.runtime.images.ensure(image, 'if-not-present', never)),
        );
        const present = await podman.runtime.images.ensure(image, 'if-not-present', never);

        expect(pulled).toEqual([present, present, present]);
        expect(present.arch).toBe('x86_64');
        expect(registry.manifests.filter((name) => name === 'good')).toHaveLength(1);
      });

      it('asks the registry each time when the policy is always', async () => {
        const image = `${registry.host}/other:1`;
        await podman.runtime.images.ensure(image, 'always', never);
        const asked = registry.manifests.length;

        await podman.runtime.images.ensure(image, 'always', never);

        expect(registry.manifests.length).toBeGreaterThan(asked);
      });

      it.each([
        ['gone', 'image-missing'],
        ['secret', 'image-denied'],
        ['sick', 'image-unreachable'],
      ])('says why %s cannot be pulled', async (repository, code) => {
        const ensured = podman.runtime.images.ensure(
          `${registry.host}/${repository}:1`,
          'if-not-present',
          never,
        );

        await expect(ensured).rejects.toMatchObject({ code });
      });

      it('says that a registry cannot be reached', async () => {
        const ensured = podman.runtime.images.ensure('127.0.0.1:9/image:1', 'if-not-present', never);

        await expect(ensured).rejects.toMatchObject({ code: 'image-unreachable' });
      });

      it('never looks for a registry called localhost', async () => {
        const ensured = podman.runtime.images.ensure('localhost/not-built:1', 'always', never);

        await expect(ensured).rejects.toMatchObject({
          code: 'image-missing',
          message: expect.stringContaining('build it here'),
        });
      });

      it('refuses a container of an image that is not there', async () => {
        const created = create(podman.shell('', { root: { kind: 'image', image: 'localhost/not-built:1' } }));

        await expect(created).rejects.toMatchObject({ code: 'image-missing' });
      });
    });

    it('removes its containers when create is aborted at any moment', async () => {
      for (let turns = 0; turns < 40; turns += 1) {
        const abort = new AbortController();
        const created = podman.runtime.create(podman.shell('echo hi'), abort.signal);
        const settled = created.then(
          (container) => container[Symbol.asyncDispose](),
          (error: unknown) => expect(error).toBe(abort.signal.reason),
        );
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
        abort.abort(new Error('enough'));
        await settled;
      }

      expect(await podman.runtime.list('contract', never)).toEqual([]);
    });
  });
}

/** Roots that are mounted on this host; none for a rootless podman, which mounts in its own namespace. */
function mountsOfRoots(dir: string): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`${dir}/`) && line.includes('/merged '));
}

/** Memory cgroups of a container, on cgroup v1 and v2. */
function cgroupsOf({ id }: Container): readonly string[] {
  return ['memory/', ''].map((at) => `/sys/fs/cgroup/${at}libpod_parent/libpod-${id}`).filter(existsSync);
}

/** The process that podman has for the end of a container. */
function monitorsOf({ id }: Container): Promise<readonly string[]> {
  return processesWith(`\0--exit-dir\0`, `-c\0${id}\0`);
}

async function processesWith(...texts: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // A process may end between the listing and the reading.
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (texts.every((text) => commandLine.includes(text))) found.push(pid);
  }
  return found;
}

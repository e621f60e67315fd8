import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planGrants } from '../../src/buildroot/plan/site-rules.ts';
import type { KeptRoot } from '../../src/container/spec.ts';
import { never } from '../../src/core/never.ts';
import { AttackBench, type AttackedBuild } from './attack-bench.ts';

/**
 * Each attack is made twice: as the product runs a build, where it fails, and with its protection taken away, where it
 * succeeds, so that the first says something. `hit WORD` in the log is a success of the attacker.
 *
 * The engine is that of the surroundings. A rootless one gives root inside nothing that its user may not have, and does
 * not hold limits of memory and processes on cgroup v1.
 */
export function describeAttacks(name: string, engine: 'rootful' | 'rootless'): void {
  describe(name, () => testAttacks(engine));
}

const noGrants = planGrants(null, { tag: null, channel: null });

function testAttacks(engine: 'rootful' | 'rootless'): void {
  let bench: AttackBench;
  /** A file of the host that the daemon could read, and a build must not get. */
  const coveted = engine === 'rootful' ? '/etc/shadow' : '/etc/passwd';

  beforeAll(async () => {
    // One of its attacks looks at the snapshot that is made for it; the ordinary user has no part in the lane.
    bench = await AttackBench.open({ cold: true });
  });
  afterAll(async () => {
    await bench[Symbol.asyncDispose]();
  });

  /** The words the attacker could say, sorted. */
  async function hits(attack: AttackedBuild): Promise<readonly string[]> {
    const { log, error } = await bench.build(attack);
    expect(log, String(error)).toContain('attack is over');
    return [...log.matchAll(/^hit (\S+)$/gm)].map(([, word = '']) => word).toSorted();
  }

  it('reaches no network: not the loopback of the host, no abstract socket, no name', async () => {
    const server = createServer((socket) => socket.destroy());
    const abstract = createServer((socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    abstract.listen(`\0koji-adjutant-attack-${process.pid}`);
    await Promise.all([once(server, 'listening'), once(abstract, 'listening')]);
    const { port } = server.address() as AddressInfo; // it listens on a port
    const script = `
cat > a.c <<'END'
#include <string.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
int main(void) {
  struct sockaddr_un a = { AF_UNIX };
  const char *name = "koji-adjutant-attack-${process.pid}";
  strcpy(a.sun_path + 1, name);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  return connect(s, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}
END
gcc -o a a.c && ./a && echo hit abstract
(exec 3<>/dev/tcp/127.0.0.1/${port}) && echo hit tcp
test $(ls /sys/class/net | wc -l) -gt 1 && echo hit interfaces
echo attack is over`;

    const sealed = await hits({ script });
    const open = await hits({ script, unseal: (body) => ({ ...body, netns: { nsmode: 'host' } }) });

    abstract.close();
    server.close();
    expect(sealed).toEqual([]);
    expect(open).toEqual(expect.arrayContaining(['abstract', 'tcp']));
  });

  it('makes no device, opens none of the host, and neither steers nor reads the kernel', async () => {
    // Opened only, never written: it is this host's.
    const script = `
mknod disk b 8 0 && echo hit mknod
for d in $(find /dev -type b) /dev/mem /dev/kmsg /dev/fuse /dev/kvm; do (exec 3<$d) && echo hit device; done
(exec 3>>/proc/sysrq-trigger) && echo hit sysrq
(exec 3>>/proc/sys/kernel/core_pattern) && echo hit sysctl
test -n "$(ls /sys/firmware)" && echo hit firmware
test -n "$(head -c 1 /proc/timer_list | tr -d '\\0')" && echo hit timers
unshare -m true && echo hit mount
chroot / true && echo hit chroot
echo attack is over`;
    const unseal: AttackedBuild['unseal'] = (body) => ({
      ...body,
      user: '0:0',
      cap_add: ['DAC_OVERRIDE', 'MKNOD', 'SYSLOG', 'SYS_ADMIN', 'SYS_CHROOT'],
      mask: [],
      unmask: ['ALL'],
      devices: [{ path: '/dev/kmsg' }],
    });

    expect(await hits({ script })).toEqual([]);
    const open = {
      rootful: ['chroot', 'device', 'firmware', 'mknod', 'mount', 'sysctl', 'timers'],
      rootless: ['chroot', 'mount'],
    }[engine];
    expect(await hits({ script, unseal })).toEqual(expect.arrayContaining(open));
  });

  it('makes no user namespace, by no system call, unless the operator lets it', async () => {
    const script = `
cat > ns.c <<'END'
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
struct args { unsigned long long flags, pidfd, child, parent, exit_signal, stack, stack_size, tls; };
static int stays(void *x) { return 0; }
int main(void) {
  struct args wanted = { CLONE_NEWUSER, 0, 0, 0, SIGCHLD };
  static char stack[65536];
  setvbuf(stdout, 0, _IONBF, 0);
  long pid = syscall(SYS_clone3, &wanted, sizeof wanted);
  if (pid == 0) _exit(0);
  if (pid > 0) puts("hit clone3");
  if (clone(stays, stack + sizeof stack, CLONE_NEWUSER | SIGCHLD, 0) > 0) puts("hit clone");
  if (fork() == 0) { if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) puts("hit unshare"); else if (errno != EPERM) puts("hit errno"); return 0; }
  while (wait(0) > 0);
  return 0;
}
END
gcc -o ns ns.c && ./ns
unshare -Urm true && echo hit command
bash -c ':' && echo processes work
echo attack is over`;

    expect(await hits({ script })).toEqual([]);
    const grants = { ...noGrants, userNamespaces: true };
    expect(await hits({ script, grants })).toEqual(['clone', 'clone3', 'command', 'unshare']);
  });

  it('finds no secret of the daemon: in files, sockets, environments, from %build and from the spec itself', async () => {
    const secret = join(bench.directory, 'secret');
    await mkdir(secret);
    await writeFile(join(secret, 'kojid.conf'), 'password = open-sesame\n', { mode: 0o644 });
    const preamble = `%global found %(test -d /adjutant && grep -rl 'open-sesam[e]' /srv /etc /root /run /var /tmp /home 2>/dev/null | head -1)
Provides: leak(%{?found}x)`;
    const script = `
test -n "%{?found}" && echo hit spec
grep -rlq 'open-sesam[e]' /srv /etc /root /run /var /tmp /home /adjutant && echo hit file
test -n "$(find / -xdev -type s 2>/dev/null; ls /srv/secret/*.sock 2>/dev/null)" && echo hit socket
tr '\\0' '\\n' </proc/1/environ | cat - <(env) | grep -qi 'koji\\|adjutant\\|KRB5\\|open-sesam[e]' && echo hit environment
echo attack is over`;
    const shown: AttackedBuild = {
      script,
      preamble,
      mounts: [{ kind: 'host', source: secret, target: '/srv/secret', readOnly: true }],
      unseal: (body) => ({ ...body, env: { ...(body['env'] as object), KOJI_PASSWORD: 'open-sesame' } }), // an object in every body
    };

    expect(await hits({ script, preamble })).toEqual([]);
    await using socket = await listening(join(secret, 'podman.sock'));
    expect(socket).toBeDefined();
    expect(await hits(shown)).toEqual(['environment', 'file', 'socket', 'spec']);
  });

  it('sees no process of the host or of another task', async () => {
    const victim = spawn('sleep', ['98765'], { env: { ...process.env, VICTIM: 'open-sesame' } });
    // Others of the host's processes may end meanwhile, for which grep ends with an error though it has found one.
    const script = `[ -z "$(grep -lsz '9876[5]' /proc/[0-9]*/cmdline)" ] || echo hit process\necho attack is over`;

    const sealed = await hits({ script });
    // With a rootless engine it depends on the host whether any show even so.
    const open =
      engine === 'rootless'
        ? null
        : await hits({ script, unseal: (body) => ({ ...body, pidns: { nsmode: 'host' } }) });

    victim.kill();
    expect(sealed).toEqual([]);
    expect(open).toEqual(engine === 'rootless' ? null : ['process']);
  });

  it('sees nothing of a build of the same package at the same time', async () => {
    const script = (own: string) => `
touch /tmp/planted-${own} /var/tmp/planted-${own} ~/planted-${own}
sleep 3
find / -xdev -name 'planted-*' 2>/dev/null | grep -qv 'planted-${own}$' && echo hit other
echo attack is over`;

    expect(await Promise.all([hits({ script: script('a') }), hits({ script: script('b') })])).toEqual([
      [],
      [],
    ]);
    // In one root they would: this one finds what it has planted under another name.
    expect(await hits({ script: `touch /tmp/planted-b\n${script('a')}` })).toEqual(['other']);
  });

  it('leaves nothing for the next build, and snapshot and package cache as they were', async () => {
    const packages = bench.host.cache.packages.directory;
    await bench.build({ script: 'echo the snapshot is made' });
    const root = await newestSnapshot(bench);
    const before = { snapshot: await digestOfRoot(bench, root), packages: await digestOf(packages) };
    const shared = join(bench.directory, 'shared');
    await mkdir(shared);
    await chmod(shared, 0o777);
    const script = `
find / -xdev -name 'planted*' 2>/dev/null | grep -q . && echo hit planted
ls /tmp /var/tmp /dev/shm | grep -q planted && echo hit temporary
find / -type d -writable -not -path '/proc/*' 2>/dev/null | while read -r d; do echo evil > "$d/planted"; done
find / -xdev -type f -writable -not -path '/proc/*' 2>/dev/null | while read -r f; do echo evil >> "$f"; done
echo evil > /dev/shm/planted; echo evil > /tmp/planted
for f in /packages/* /packages/*/*; do test -f "$f" && echo evil >> "$f" && echo hit cache; done 2>/dev/null
echo attack is over`;
    const unseal: AttackedBuild['unseal'] = (body) => {
      const mounts = body['mounts'] as readonly object[]; // a list in every body
      const temporary = { type: 'bind', source: shared, destination: '/tmp', options: ['rw'] };
      return { ...body, mounts: [...mounts, temporary] };
    };

    expect(await hits({ script })).toEqual([]);
    expect(await hits({ script })).toEqual([]);
    expect(await digestOfRoot(bench, root)).toBe(before.snapshot);
    expect(await digestOf(packages)).toBe(before.packages);

    await hits({ script, unseal });
    expect(await hits({ script, unseal })).toEqual(expect.arrayContaining(['temporary']));
  });

  it.for([
    [
      'processes',
      'for i in $(seq 300); do sleep 60 & done; test $(jobs -p | wc -l) = 300 && echo hit',
      { pids: 150 },
      {},
    ],
    [
      'memory',
      `awk 'BEGIN { s = "x"; while (length(s) < 200000000) s = s s }' && echo hit`,
      { memoryBytes: 100 << 20 },
      {},
    ],
    [
      'disk',
      'dd if=/dev/zero of=big bs=1M count=100 2>/dev/null; sleep 5; echo hit',
      {},
      { diskBytes: 50 << 20 },
    ],
    ['a log', 'seq 1000000; sleep 2; echo hit', {}, { logBytes: 1 << 20 }],
  ] as const)(
    'takes no more %s than it may, and others go on',
    async ([what, greed, limits, codeLimits], { skip }) => {
      const { limitsEnforced } = await bench.host.runtime.probe(never);
      if (!limitsEnforced && Object.keys(limits).length > 0) skip('this engine ignores limits');
      const word = what.replace(/^a /, '');
      const script = `${greed} ${word}\necho attack is over`;

      const sibling = bench.build({ script: 'sleep 2; echo fine' });
      const { log } = await bench.build({ script, limits, codeLimits });
      const open = await bench.build({ script });

      expect(log).not.toContain(`hit ${word}`);
      expect(open.log).toContain(`hit ${word}`);
      const { log: said, error } = await sibling;
      expect(said, String(error)).toContain('\nfine\n');
    },
  );

  it('leaves no process behind: not in a session of its own, not by fork and fork, not after a timeout', async () => {
    const script = (seconds: number) => `
setsid sh -c 'trap "" HUP TERM; exec sleep ${seconds}' </dev/null >/dev/null 2>&1 &
(nohup sh -c 'sleep ${seconds} & disown' </dev/null >/dev/null 2>&1 &)
sleep 1
echo attack is over`;

    await hits({ script: script(87_651) });
    const { error } = await bench.build({ script: `${script(87_652)}\nsleep 600`, timeoutSeconds: 4 });
    // Without its own name space nothing but the cgroup holds them; here neither does.
    const control = spawn('sh', ['-c', 'setsid sleep 87653 </dev/null >/dev/null 2>&1 & exit 0']);
    await once(control, 'exit');

    expect(error).toMatchObject({ status: 11 });
    expect(await processesWith('87651')).toEqual([]);
    expect(await processesWith('87652')).toEqual([]);
    const left = await processesWith('87653');
    expect(left).toHaveLength(1);
    for (const pid of left) process.kill(pid);
  });

  it.for([
    ['a link to a file of the host', `ln -s ${coveted} "$R/evil-1-1.noarch.rpm"`],
    ['a pipe', 'mkfifo "$R/evil-1-1.noarch.rpm"'],
    ['a hard link', `ln ${coveted} "$R/evil-1-1.noarch.rpm"`],
    ['a directory of links', 'mkdir "$R/x"; ln -s /etc "$R/x/evil-1-1.noarch.rpm"'],
    ['a link in place of the directory', 'rmdir "$R"; ln -s /etc "$R"'],
  ] as const)('gets nothing of the host by %s among its results', async ([_what, plant]) => {
    const script = `R=%{_topdir}/RPMS; rm -rf "$R"/*; ${plant}; ls -lR "$R"; echo attack is over`;

    const { log, results, error, directory } = await bench.build({ script });

    expect(log).toContain('attack is over');
    const files = await readdir(join(directory, 'results')).catch(() => []);
    const content = await readFile(coveted);
    for (const name of files) {
      expect(name).not.toMatch(/\/|^\.\./);
      expect((await readFile(join(directory, 'results', name))).equals(content)).toBe(false);
    }
    expect(files.filter((name) => name.startsWith('evil'))).toEqual([]);
    expect(results === null ? String(error) : results.rpms.join()).not.toContain('passwd');
  });

  it('fails by 300,000 links among its results, none of which is followed', async ({ skip }) => {
    if (engine === 'rootless') skip('the engine itself packs results, and takes its time');
    const script = `
cat > links.c <<'END'
#include <stdio.h>
#include <unistd.h>
int main(void) {
  char name[32];
  for (int i = 0; i < 300000; i++) {
    sprintf(name, "l%d.rpm", i);
    if (symlink("/etc/shadow", name)) return 1;
  }
  return 0;
}
END
gcc -o links links.c && cd %{_topdir}/RPMS && "$OLDPWD"/links
echo attack is over`;

    const { log, results, error } = await bench.build({ script });

    expect(results).toBeNull();
    expect(error).toMatchObject({
      status: 1,
      message: expect.stringContaining('a symlink, not a regular file'),
    });
    expect(log).toContain('attack is over');
  });

  it('adds no macro and no variable by a line break or a quote in a tag extra', async () => {
    const script = `
test -n "%{?injected}" && echo hit macro
test -n "$INJECTED" && echo hit variable
echo attack is over`;
    const lines = { 'rpm.macro.evil': 'x\n%injected yes' };
    const quotes = {
      'rpm.macro.evil': `x" '%{nil}' \\"`,
      'rpm.env.EVIL': `x' INJECTED='yes'; export INJECTED; "`,
    };
    const raw = (directory: string) =>
      appendFile(join(directory, 'in/rpmmacros'), '%evil x\n%injected yes\n');

    expect(String((await bench.build({ script, extra: lines })).error)).toContain('must be a single line');
    expect(await hits({ script, extra: quotes })).toEqual([]);
    expect(await hits({ script, prepared: raw })).toEqual(['macro']);
  });
}

async function listening(path: string): Promise<AsyncDisposable> {
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  return { [Symbol.asyncDispose]: async () => void server.close() };
}

/** The root that the next one of the bench begins with. */
async function newestSnapshot({ host: { roots, cache } }: AttackBench): Promise<KeptRoot> {
  const keys = (await cache.snapshots.list(never)).map(({ key }) => key);
  const own = (await roots.list(never)).filter(({ name }) => keys.includes(name.key));
  const [newest] = own.toSorted((a, b) => b.createdMs - a.createdMs);
  if (newest === undefined) throw new Error('there is no snapshot');
  return newest.root;
}

/** Of everything that is in the root, times included. */
async function digestOfRoot(bench: AttackBench, on: KeptRoot): Promise<string> {
  const { runtime } = bench.host;
  await using container = await runtime.create(
    {
      name: `attack-digest-${process.pid}`,
      root: { kind: 'layer', on },
      command: ['/never-run'],
      env: {},
      workdir: '/',
      user: { uid: 0, gid: 0 },
      capabilities: [],
      isolation: 'plain',
      network: 'none',
      hostname: 'localhost',
      mounts: [],
      limits: { pids: 1 },
      labels: {},
      owner: { workerId: bench.host.workerId, taskId: 1, phase: 'digest', attempt: 1 },
    },
    never,
  );
  const hash = createHash('sha256');
  for (const place of ['/usr', '/etc', '/var', '/builddir', '/tmp'])
    for await (const chunk of await container.copyOut(place, never)) hash.update(chunk as Uint8Array); // a tar stream
  return hash.digest('hex');
}

/** Of all files below a directory, with their names. */
async function digestOf(directory: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  for (const path of paths.toSorted()) hash.update(path).update(await readFile(path));
  return hash.digest('hex');
}

/** Pids of `sleep` with this argument. */
async function processesWith(argument: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // A process may end between the listing and the reading.
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (commandLine === `sleep\0${argument}\0`) found.push(Number(pid));
  }
  return found;
}

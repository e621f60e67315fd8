import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBuilder } from './builder.ts';
import { openDevHub } from './dev-hub.ts';
import { describeE2e, makeSrpm } from './surroundings.ts';

/** What a build sees, one answer after another; docs/build-environment.md has the reasons. */
const questions = {
  environment: 'env; :',
  shell: 'echo "$(umask) $PWD"; readlink /proc/self/fd/0',
  user: 'id; getent passwd "$(id -u)"; hostname',
  privileges: 'grep -E "^(Cap|NoNewPrivs|Seccomp:|SigIgn|SigBlk)" /proc/self/status',
  limits: 'ulimit -Sn; ulimit -Hc; cat /proc/self/oom_score_adj; nice',
  network:
    'tail -n +3 /proc/net/dev | cut -d: -f1; getent hosts localhost; cat /etc/hosts; wc -c </etc/resolv.conf',
  personality:
    'cat /proc/self/personality; setarch -R cat /proc/self/personality; setarch "$(uname -m)" -X true || echo refused',
  namespaces:
    'for kind in -U -Urn -Urm; do unshare "$kind" true 2>/dev/null && echo made || echo refused; done',
  descriptors: 'cat <(echo of a process); echo piped | cat /dev/stdin; cat /dev/fd/3 3<<<here',
  memory: 'df --output=size /dev/shm | tail -1; cp /usr/bin/true /dev/shm/ran && /dev/shm/ran && echo ran',
  files: 'readlink /etc/mtab /var/lib/dbus/machine-id; wc -c </etc/machine-id; stat -c %a /tmp /var/tmp',
  orphans:
    'pid=$(sh -c "sleep 0.2 & echo \\$!"); for i in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done; kill -0 "$pid" 2>/dev/null || echo reaped',
} as const;
type Question = keyof typeof questions;

const ask = (section: string) =>
  [
    `%${section}`,
    'set +x',
    ...Object.entries(questions).map(
      ([name, script]) => `echo "ASKED ${section} ${name}"; (${script}) 2>&1 || :`,
    ),
    `echo "ASKED ${section} end"`,
  ].join('\n');

const spec = `BuildArch: noarch
BuildRequires: hostname leaf-proc leaf-dev
%description
Says what it sees.
${['prep', 'build', 'install', 'check'].map(ask).join('\n')}
%files
`;

describeE2e('the environment inside a build', () => {
  let builder: TestBuilder;
  let directory: string;
  let buildLog: string;
  let rootLog: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    builder = await TestBuilder.start(await openDevHub());
    await builder.ensureRepo('td1-build');
    const build = await builder.build(await makeSrpm(directory, 'what-it-sees', spec));
    expect(build.fault).toBeNull();
    const { tree } = await builder.child(build, 'buildArch');
    buildLog = await builder.log(tree.id, 'build.log');
    rootLog = await builder.log(tree.id, 'root.log');
  });
  afterAll(async () => {
    await builder[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  /** The lines of an answer; trace lines that bash wrote before it was told not to are no part of it. */
  function answer(section: string, question: Question): readonly string[] {
    const [, after = ''] = buildLog.split(`\nASKED ${section} ${question}\n`);
    const [lines = ''] = after.split(/^ASKED /m);
    return lines.trimEnd().split('\n');
  }

  describe.each(['prep', 'build', 'install', 'check'])('in %%%s', (section) => {
    it("is mock's, without a trace of the container engine", () => {
      const environment = answer(section, 'environment');

      expect(environment).toEqual(
        expect.arrayContaining([
          'HOME=/builddir',
          'HOSTNAME=mock',
          'SHELL=/bin/bash',
          'TERM=vt100',
          'PROMPT_COMMAND=printf "\\033]0;<mock-chroot>\\007"',
          // As under mock: the login shell counts as one and is replaced by rpmbuild.
          'SHLVL=1',
        ]),
      );
      expect(environment.filter((line) => /^container|podman|adjutant/i.test(line))).toEqual([]);
      expect(answer(section, 'shell')[0]).toMatch(/^0022 \/builddir\/build\/BUILD/);
      expect(answer(section, 'shell')[1]).toBe('/dev/null');
      expect(answer(section, 'limits')).toEqual(['1024', 'unlimited', '0', '0']);
    });

    it('is an ordinary user without privileges', () => {
      expect(answer(section, 'user')).toEqual([
        'uid=1000(mockbuild) gid=135(mock) groups=135(mock)',
        'mockbuild:x:1000:135::/builddir:/bin/bash',
        hostname(),
      ]);
      const privileges = answer(section, 'privileges');
      expect(privileges.filter((line) => line.startsWith('Cap'))).toEqual(
        ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((set) => `Cap${set}:\t${'0'.repeat(16)}`),
      );
      expect(privileges).toEqual(expect.arrayContaining(['NoNewPrivs:\t1', 'Seccomp:\t2']));
    });
  });

  it('has a network of its own in which localhost has a name', () => {
    const [device, localhost, ...files] = answer('build', 'network');

    expect(device?.trim()).toBe('lo');
    expect(localhost).toMatch(/^(::1|127\.0\.0\.1)\s+localhost /);
    expect(files).toEqual([
      '127.0.0.1 localhost localhost.localdomain',
      '::1       localhost localhost.localdomain localhost6 localhost6.localdomain6',
      '0',
    ]);
  });

  it('lets a process fix its addresses, but not make all its memory executable', () => {
    const [own, fixed, ...rest] = answer('build', 'personality');

    expect([own, fixed]).toEqual(['00000000', '00040000']);
    expect(rest.at(-1)).toBe('refused');
  });

  it('refuses a build user namespaces, and what they would give it', () => {
    expect(answer('build', 'namespaces')).toEqual(['refused', 'refused', 'refused']);
  });

  it('has /dev/fd and a shared memory of half the host that programs run from', () => {
    expect(answer('build', 'descriptors')).toEqual(['of a process', 'piped', 'here']);
    const [size, ran] = answer('build', 'memory');
    expect(Number(size) / (totalmem() / 2 / 1024)).toBeCloseTo(1, 2);
    expect(ran).toBe('ran');
  });

  it('has the files that mock makes', () => {
    expect(answer('build', 'files')).toEqual([
      '../proc/self/mounts',
      '../../../etc/machine-id',
      '33',
      '1777',
      '1777',
    ]);
  });

  it('reaps what a build leaves behind', () => {
    expect(answer('check', 'orphans')).toEqual(['reaped']);
  });

  it('shows scriptlets /proc and /sys, and leaves device nodes out', () => {
    for (const path of ['/proc/self/status', '/proc/mounts', '/sys/kernel', '/dev/null', '/etc/resolv.conf'])
      expect(rootLog).toContain(`${path} there\n`);
    expect(rootLog).toContain('left out, a device: /usr/lib/leaf-null\n');
  });
});

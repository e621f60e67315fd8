import { describe, expect, it } from 'vitest';
import { type MemoryEntry, memoryFiles } from '../../test/support/memory-files.ts';
import { checkConfig } from '../commands/check-config.ts';
import { asksForChannel, matchingRules, readSiteFile, type SiteFile } from './site-file.ts';

const path = '/etc/kojid/site.json';
const closed = [
  { path: '/run/podman', what: 'the container engine' },
  { path: '/mnt/koji', what: 'the tree', inParts: true },
] as const;

function read(content: unknown, files: Record<string, MemoryEntry> = {}) {
  const notes = { problems: [], warnings: [] };
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  const site = readSiteFile(path, closed, memoryFiles({ [path]: text, ...files }), notes);
  const messages = (found: readonly { readonly message: string }[]) => found.map(({ message }) => message);
  return { site, problems: messages(notes.problems), warnings: messages(notes.warnings) };
}

const rules = (...all: readonly object[]) => ({ version: '1.0', rules: all });
const rule = (opened: object) => rules({ reason: 'why', ...opened });

describe('readSiteFile', () => {
  it('reads what is opened, and for whom', () => {
    const { site, problems, warnings } = read(
      rules({
        reason: 'image tests',
        tags: ['f43-*', '!f43-secure'],
        channels: ['vm'],
        devices: ['/dev/kvm'],
        packages: ['bubblewrap'],
        user_namespaces: true,
        mounts: [{ source: '/srv/sign', target: '/run/sign' }],
        tmpfs: [{ target: '/builddir/build/BUILD', size: '4G' }],
        ulimits: { memlock: -1, nofile: { soft: 10, hard: 20 } },
        shm_size: '2G',
        seccomp: '/etc/own.json',
      }),
      { '/dev/kvm': '', '/srv/sign': null, '/etc/own.json': '{"defaultAction": "a", "syscalls": []}' },
    );

    expect([problems, warnings]).toEqual([[], []]);
    expect(site.rules).toEqual([
      {
        reason: 'image tests',
        tags: ['f43-*', '!f43-secure'],
        channels: ['vm'],
        devices: ['/dev/kvm'],
        packages: ['bubblewrap'],
        userNamespaces: true,
        mounts: [{ source: '/srv/sign', target: '/run/sign', readOnly: true }],
        tmpfs: [{ target: '/builddir/build/BUILD', sizeBytes: 4 * 2 ** 30 }],
        ulimits: { memlock: { soft: -1, hard: -1 }, nofile: { soft: 10, hard: 20 } },
        shmBytes: 2 ** 31,
        seccomp: '/etc/own.json',
      },
    ]);
  });

  it('tells all problems at once, each with its place and what to write', () => {
    const { problems } = read(
      rules(
        { devices: ['/etc/passwd', 7], tags: [] },
        { reason: 'a\nb', mounts: [{ source: 'srv', target: '/x', read_only: 1 }] },
        { reason: 'none' },
        {
          reason: 'x',
          tmpfs: [{ target: '/x', size: '4 pigs' }],
          ulimits: { fish: 1, core: { soft: 2, hard: 1 } },
        },
      ),
    );

    expect(problems.join('\n')).toMatchInlineSnapshot(`
      "rules[0].reason must say in a few words, on one line, what this is granted for; it stands in the logs of each task, it is missing
      rules[0].tags must not be empty: leave the key out for all
      rules[0].devices[0] must be a device below /dev, as "/dev/kvm", not "/etc/passwd"
      rules[0].devices[1] must be a device below /dev, as "/dev/kvm", not 7
      rules[1].reason must say in a few words, on one line, what this is granted for; it stands in the logs of each task, not "a\\nb"
      rules[1].mounts[0].source must be an absolute path without "..", "//" or a slash at its end, not "srv"
      rules[1].mounts[0].read_only must be true or false, not 1
      rules[2] opens nothing; remove it, or add what it is for
      rules[3].tmpfs[0].size must be a size as "4G" or "512M", not "4 pigs"
      rules[3].ulimits.core must not have a soft limit above the hard one
      rules[3].ulimits.fish is not a limit; there are as, core, cpu, data, fsize, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack"
    `);
  });

  it.each([
    ['privileged', { privileged: true }],
    ['cap_add', { cap_add: ['SYS_ADMIN'] }],
    ['network', { network: true }],
    ['security_opt', { devices: ['/dev/kvm'], security_opt: ['seccomp=unconfined'] }],
  ])('knows no key %s, nor any other that takes the isolation away', (key, opened) => {
    expect(read(rule(opened)).problems[0]).toMatch(
      new RegExp(
        `^rules\\[0\\] has unknown keys ${key}; allowed are reason, tags, channels, packages, devices`,
      ),
    );
  });

  it.each([
    ['/', 'is this whole host; name the directory that is needed'],
    [
      '/run/podman/podman.sock',
      'would show builds the container engine (/run/podman); builds may not see it',
    ],
    ['/run', 'would show builds the container engine (/run/podman); builds may not see it'],
    ['/var/run/podman', 'would show builds the container engine (/run/podman); builds may not see it'],
    ['/mnt', 'would show builds the tree (/mnt/koji); builds may not see it'],
  ])('shows no build %s', (source, why) => {
    const { problems } = read(rule({ mounts: [{ source, target: '/x' }] }));

    expect(problems).toEqual([`rules[0].mounts[0].source ${source} ${why}`]);
  });

  it('may show a part of what is closed as a whole', () => {
    const mounts = [{ source: '/mnt/koji/keys', target: '/keys' }];

    expect(read(rule({ mounts }), { '/mnt/koji/keys': null }).problems).toEqual([]);
  });

  it.each(['/', '/proc/x', '/dev', '/adjutant/in', '/builddir', '/builddir/build/RPMS/x86_64'])(
    'puts nothing on %s',
    (target) => {
      expect(read(rule({ tmpfs: [{ target, size: '1G' }] })).problems[0]).toMatch(
        /^rules\[0\]\.tmpfs\[0\]\.target must /,
      );
    },
  );

  it('warns of what is not there today, and continues', () => {
    const { site, problems, warnings } = read(rule({ devices: ['/dev/kvm'] }));

    expect(problems).toEqual([]);
    expect(warnings).toEqual([
      'rules[0]: there is no /dev/kvm on this host; its builds are refused until there is',
    ]);
    expect(site.rules).toHaveLength(1);
  });

  it.each([
    ['{', /^is not JSON: .*position 1/],
    ['[]', /^the whole must be an object with version, rules, not a list$/],
    [{ version: '2.0', rules: [] }, /^version must be "1\.0", not "2\.0"$/],
  ])('says what is wrong with %j as a whole', (content, message) => {
    expect(read(content).problems).toEqual([expect.stringMatching(message)]);
  });

  it.each([
    [{}, 'rules[0].seccomp /p.json there is no such file; create it or correct site_file'],
    [{ '/p.json': '{}' }, /^rules\[0\]\.seccomp \/p\.json is not a seccomp profile/],
  ])('takes no seccomp profile that the engine could not read: %j', (files, message) => {
    expect(read(rule({ seccomp: '/p.json' }), files).problems).toEqual([
      typeof message === 'string' ? message : expect.stringMatching(message),
    ]);
  });
});

describe('matchingRules', () => {
  const { site } = read(
    rules(
      { reason: 'all', shm_size: '1G' },
      { reason: 'tag', tags: ['f43-*'], shm_size: '1G' },
      { reason: 'channel', channels: ['vm'], shm_size: '1G' },
      { reason: 'both', tags: ['f43-*'], channels: ['!vm'], shm_size: '1G' },
    ),
  );
  const matching = (file: SiteFile, tag: string | null, channel: string | null) =>
    matchingRules(file, { tag, channel }).map(({ rule: { reason } }) => reason);

  it.each([
    ['f43-build', 'vm', ['all', 'tag', 'channel']],
    ['f43-build', 'default', ['all', 'tag', 'both']],
    ['f42-build', 'vm', ['all', 'channel']],
    ['f43-build', null, ['all', 'tag']],
    [null, null, ['all']],
  ])('for tag %s and channel %s are %j', (tag, channel, reasons) => {
    expect(matching(site, tag, channel)).toEqual(reasons);
  });

  it('are chosen by the name of the package, too, and not where nobody knows it', () => {
    const { site: named } = read(rules({ reason: 'x', packages: ['bubblewrap'], user_namespaces: true }));
    const fitting = (name?: string) =>
      matchingRules(named, { tag: 't', channel: null, ...(name && { package: name }) });

    expect([fitting('bubblewrap'), fitting('bash'), fitting()].map(({ length }) => length)).toEqual([
      1, 0, 0,
    ]);
  });

  it('ask for the channel only where a rule for the tag does', () => {
    const { site: tagged } = read(rules({ reason: 'x', tags: ['a'], channels: ['vm'], shm_size: '1G' }));

    expect([asksForChannel(tagged, 'a'), asksForChannel(tagged, 'b')]).toEqual([true, false]);
  });
});

describe('check-config', () => {
  const kojid = '[kojid]\nserver = http://h/x\ntopurl = http://a\nuser = b\npassword = p\n';
  const check = (site: string) => {
    const lines: string[] = [];
    const files = memoryFiles({
      '/mnt/koji': null,
      '/k.conf': kojid,
      '/site.json': site,
      '/adjutant.conf': '[adjutant]\nsite_file = /site.json\n',
    });
    const out = { write: (line: string) => lines.push(line.trimEnd()) };
    return { code: checkConfig({ configPath: '/k.conf', overrides: {} }, {}, out, files), lines };
  };

  it('shows the rules of the site file', () => {
    const { code, lines } = check(
      JSON.stringify(rules({ reason: 'jit tests', tags: ['a', 'b'], shm_size: '64M' })),
    );

    expect(lines).toContain('[/site.json]');
    expect(lines).toContain('tags a,b: /dev/shm of 64 MiB  (jit tests)');
    expect(code).toBe(0);
  });

  it('names the file and the place of what is wrong, and ends with 78', () => {
    const { code, lines } = check(JSON.stringify(rule({ mounts: [{ source: '/k.conf', target: '/x' }] })));

    expect(lines).toContain(
      'error: /site.json: rules[0].mounts[0].source /k.conf would show builds the configuration of this daemon (/k.conf); builds may not see it',
    );
    expect(code).toBe(78);
  });
});

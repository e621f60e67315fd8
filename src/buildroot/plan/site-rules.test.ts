import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { SiteFile, SiteRule } from '../../config/site-file.ts';
import { checkGrants, planGrants } from './site-rules.ts';

const nothing: SiteRule = {
  reason: 'r',
  tags: null,
  channels: null,
  devices: [],
  mounts: [],
  tmpfs: [],
  ulimits: {},
  shmBytes: null,
  seccomp: null,
  userNamespaces: false,
  packages: null,
};
const site = (...rules: readonly Partial<SiteRule>[]): SiteFile => ({
  path: '/site.json',
  rules: rules.map((rule) => ({ ...nothing, ...rule })),
  closed: [],
});
const any = { tag: null, channel: null };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'opening-'));
  onTestFinished(() => rm(directory, { recursive: true }));
});

describe('planGrants', () => {
  it('opens nothing without a site file', () => {
    expect(planGrants(null, any)).toEqual({
      devices: [],
      mounts: [],
      limits: {},
      seccompProfile: null,
      userNamespaces: false,
      lines: [],
    });
  });

  it('adds up all rules that hold; of two about the same the last counts', () => {
    const mount = { source: '/a', target: '/x', readOnly: true };
    const { devices, mounts, limits, seccompProfile, lines } = planGrants(
      site(
        { devices: ['/dev/kvm'], mounts: [mount], ulimits: { core: { soft: 1, hard: 1 } }, seccomp: '/1' },
        { tags: ['no'], devices: ['/dev/fuse'] },
        {
          reason: 'later',
          devices: ['/dev/kvm'],
          tmpfs: [{ target: '/x', sizeBytes: 2 ** 20 }],
          ulimits: { nofile: { soft: 2, hard: -1 } },
          shmBytes: 2 ** 20,
          seccomp: '/2',
        },
      ),
      { tag: 'f43', channel: null },
    );

    expect(devices).toEqual(['/dev/kvm']);
    expect(mounts).toEqual([{ kind: 'scratch', target: '/x', sizeBytes: 2 ** 20 }]);
    expect(limits).toEqual({
      shmBytes: 2 ** 20,
      ulimits: { core: { soft: 1, hard: 1 }, nofile: { soft: 2, hard: -1 } },
    });
    expect(seccompProfile).toBe('/2');
    expect(lines).toEqual([
      'device /dev/kvm (r; rules[0] of /site.json)',
      '/a on /x, read-only (r; rules[0] of /site.json)',
      'ulimit core 1, at most 1 (r; rules[0] of /site.json)',
      'seccomp profile /1 (r; rules[0] of /site.json)',
      'device /dev/kvm (later; rules[2] of /site.json)',
      'tmpfs of 1 MiB on /x (later; rules[2] of /site.json)',
      'ulimit nofile 2, at most unlimited (later; rules[2] of /site.json)',
      '/dev/shm of 1 MiB (later; rules[2] of /site.json)',
      'seccomp profile /2 (later; rules[2] of /site.json)',
    ]);
  });
});

describe('checkGrants', () => {
  const check = (rule: Partial<SiteRule>, closed: SiteFile['closed'] = []) => {
    const file = { ...site(rule), closed };
    return checkGrants(planGrants(file, any), file);
  };
  const mounted = (source: string) => ({ mounts: [{ source, target: '/x', readOnly: true }] });

  it('is content with what is there', async () => {
    await check({ devices: ['/dev/null'], ...mounted(directory), seccomp: '/dev/null' });
  });

  it.each([
    [{ devices: ['/dev/no-such'] }, 'this host has no device /dev/no-such'],
    [{ devices: ['/etc/passwd'] }, 'this host has no device /etc/passwd'],
    [mounted('/no/such'), 'this host has no /no/such'],
    [{ seccomp: '/no/such' }, 'this host has no seccomp profile /no/such'],
  ])('says what this host lacks today: %j', async (rule, message) => {
    await expect(check(rule)).rejects.toMatchObject({
      code: 'host-lacks',
      message: expect.stringContaining(`${message}, which /site.json `),
    });
  });

  it('follows links to what no build may see', async () => {
    const secret = join(directory, 'secret');
    await mkdir(secret);
    await writeFile(join(secret, 'podman.sock'), '');
    await symlink(join(secret, 'podman.sock'), join(directory, 'harmless'));

    await expect(
      check(mounted(join(directory, 'harmless')), [{ path: secret, what: 'the engine' }]),
    ).rejects.toMatchObject({
      code: 'buildroot-unsupported',
      message: expect.stringContaining('would show builds'),
    });
  });
});

import { describe, expect, it } from 'vitest';
import type { RuntimeInfo } from '../container/step-runtime.ts';
import {
  judgeEngine,
  judgeImage,
  judgeLimits,
  judgeLocks,
  judgeMissingImage,
  judgeSeccomp,
  judgeStorage,
  judgeTools,
} from './engine.ts';
import { parseInspection, trialLimits } from './trial.ts';

const details: RuntimeInfo['details'] = {
  runtime: 'crun',
  fuse: false,
  storageOn: { fileSystem: 'extfs', hasFileTypes: true },
  missingControllers: [],
  runPath: '/run/c',
  freeLocks: 2000,
};
const podman: RuntimeInfo = {
  name: 'podman',
  version: '5.4.0',
  rootless: true,
  storageDriver: 'overlay',
  cgroupVersion: 'v2',
  limitsEnforced: true,
  isolations: ['plain'],
  storagePath: '/var/lib/c',
  details,
};

describe('judgeEngine', () => {
  it('says which service it is', () => {
    const found = (kind: 'found' | 'started') =>
      judgeEngine(podman, { socketPath: '/run/p.sock', kind }).found;

    expect(found('found')).toBe('podman 5.4.0, rootless, on /run/p.sock');
    expect(found('started')).toContain('a private service that was started now and stays');
  });
});

describe('judgeStorage', () => {
  it.each([
    ['overlay', false, 'ok'],
    ['overlay', true, 'warn'],
    ['vfs', false, 'FAIL'],
  ])('takes %s with FUSE=%s for %s', (storageDriver, fuse, level) => {
    expect(judgeStorage({ ...podman, storageDriver, details: { ...details, fuse } }).level).toBe(level);
  });
});

describe('judgeStorage, of what lies below the images', () => {
  const on = (fileSystem: string | null, hasFileTypes: boolean | null) =>
    judgeStorage({ ...podman, details: { ...details, storageOn: { fileSystem, hasFileTypes } } });

  it('names a file system that keeps what it is given', () => {
    expect(on('xfs', true)).toMatchObject({ level: 'ok', found: 'overlay on xfs' });
    expect(on(null, null)).toMatchObject({ level: 'ok', found: 'overlay' });
    expect(on('<unknown>', true).level).toBe('ok');
  });

  it('fails without d_type, and on a file system of another machine', () => {
    expect(on('xfs', false)).toMatchObject({
      level: 'FAIL',
      found: 'overlay on xfs without d_type',
      remedy: expect.stringMatching(/^\/var\/lib\/c needs .*ftype=1/),
    });
    expect(on('nfs', true)).toMatchObject({
      level: 'FAIL',
      found: 'overlay on nfs',
      remedy: expect.stringMatching(/move graphroot in storage.conf\(5\) to ext4/),
    });
  });
});

describe('judgeSeccomp', () => {
  it('names the profile that was extended, or why none was', () => {
    const extended = judgeSeccomp({ kind: 'extended', from: '/usr/share/containers/seccomp.json' });

    expect(extended.found).toContain('/usr/share/containers/seccomp.json');
    expect(extended.level).toBe('ok');
    expect(judgeSeccomp({ kind: 'own', because: 'there is none' })).toMatchObject({
      level: 'warn',
      found: expect.stringContaining('there is none'),
      remedy: expect.stringContaining('containers-common'),
    });
  });
});

describe('judgeLimits', () => {
  it('is content when a container has what it asked for', () => {
    expect(judgeLimits(podman, trialLimits, trialLimits).level).toBe('ok');
    expect(judgeLimits(podman, trialLimits, null).level).toBe('ok');
  });

  it('names the limit that does not hold', () => {
    expect(judgeLimits(podman, trialLimits, { ...trialLimits, memoryBytes: null })).toMatchObject({
      level: 'warn',
      found: 'cgroup v2: a container had memoryBytes unknown instead of 536870912',
    });
  });

  it.each([
    ['v1', /unified_cgroup_hierarchy/],
    ['v2', /Delegate=cpu cpuset io memory pids.*user@\.service\.d\/delegate\.conf/],
  ] as const)('says what helps where cgroup %s limits are ignored', (cgroupVersion, remedy) => {
    const finding = judgeLimits({ ...podman, cgroupVersion, limitsEnforced: false }, trialLimits, null);

    expect(finding).toMatchObject({ level: 'warn', remedy: expect.stringMatching(remedy) });
  });

  it('names the controllers that were not delegated', () => {
    const info = {
      ...podman,
      limitsEnforced: false,
      details: { ...details, missingControllers: ['memory', 'cpu'] },
    };

    expect(judgeLimits(info, trialLimits, null).found).toBe(
      'cgroup v2 without memory, cpu: the engine accepts them and ignores them',
    );
    expect(judgeLimits({ ...info, rootless: false }, trialLimits, null).remedy).toContain('Delegate=yes');
  });
});

describe('judgeLocks', () => {
  it('warns when few are left, and is silent when the engine does not tell', () => {
    const judge = (freeLocks: number | null) => judgeLocks({ ...podman, details: { ...details, freeLocks } });

    expect(judge(2000)?.level).toBe('ok');
    expect(judge(99)?.level).toBe('warn');
    expect(judge(null)).toBeNull();
  });
});

describe('judgeImage', () => {
  it('fails for an image of another architecture', () => {
    const image = { id: 'x', digest: 'sha256:x', arch: 'aarch64' };

    expect(judgeImage('img', image, 'aarch64').level).toBe('ok');
    expect(judgeImage('img', image, 'x86_64').level).toBe('FAIL');
  });
});

describe('judgeMissingImage', () => {
  it.each([
    [{ isLocal: true, mayPull: true }, 'FAIL', /setup\.sh/],
    [{ isLocal: false, mayPull: false }, 'FAIL', /podman pull img/],
    [{ isLocal: false, mayPull: true }, 'warn', /the daemon pulls it/],
  ] as const)('with %o is %s', (options, level, remedy) => {
    expect(judgeMissingImage('img', 'there is no image img', options)).toMatchObject({
      level,
      remedy: expect.stringMatching(remedy),
    });
  });
});

describe('judgeTools', () => {
  it('names the packages that bring what is missing', () => {
    expect(judgeTools('img', []).level).toBe('ok');
    expect(judgeTools('img', ['createrepo_c', 'builddep'])).toMatchObject({
      level: 'FAIL',
      found: 'createrepo_c, builddep missing',
      remedy: expect.stringContaining('add createrepo_c; dnf-plugins-core or dnf5-plugins to img'),
    });
  });
});

describe('parseInspection', () => {
  it('reads tools and limits among other output', () => {
    const output = 'a warning\nmissing=dnf 4 or dnf 5\npids=512\nmemory=536870912\n';

    expect(parseInspection(output)).toEqual({ missing: ['dnf 4 or dnf 5'], limits: trialLimits });
  });

  it('takes an unlimited limit for none', () => {
    expect(parseInspection('pids=max\n').limits).toEqual({ pids: null, memoryBytes: null });
  });
});

import { describe, expect, it } from 'vitest';
import { judgeChannels, judgeClock, judgeHost, judgeHubVersion, judgeTopUrl } from './hub.ts';

describe('judgeHubVersion', () => {
  it.each([
    ['1.35.3', 'ok'],
    ['1.36.0dev', 'ok'],
    ['2.0', 'ok'],
    ['1.33.0', 'ok'],
    ['1.32.1', 'FAIL'],
    ['0.9', 'FAIL'],
    ['unknown', 'FAIL'],
  ])('takes %s for %s', (version, level) => {
    expect(judgeHubVersion('http://hub/kojihub', version).level).toBe(level);
  });
});

describe('judgeClock', () => {
  it('allows for the time of the call and the seconds of the header', () => {
    expect(judgeClock(10_000, 10_900, 11_100).found).toBe('agrees with the hub');
    expect(judgeClock(null, 0, 0).level).toBe('ok');
  });

  it.each([
    [100_000, 140_000, '39 s ahead of the hub'],
    [140_000, 100_000, '40 s behind the hub'],
  ])('warns with the hub at %d and this host at %d', (hubMs, ownMs, found) => {
    expect(judgeClock(hubMs, ownMs, ownMs)).toMatchObject({
      level: 'warn',
      found: expect.stringContaining(found),
    });
  });
});

describe('judgeHost', () => {
  const host = { id: 1, name: 'b1', arches: ['x86_64', 'noarch'], capacity: 2, enabled: true };
  const levels = (found: ReturnType<typeof judgeHost>) => found.map(({ level }) => level);

  it('is content with an enabled host of this architecture', () => {
    expect(levels(judgeHost('b1', host, 'x86_64'))).toEqual(['ok', 'ok']);
    expect(levels(judgeHost('b1', { ...host, arches: ['x86_64_v2'] }, 'x86_64'))).toEqual(['ok', 'ok']);
  });

  it('fails for a disabled host, and for a user that is none', () => {
    expect(levels(judgeHost('b1', { ...host, enabled: false }, 'x86_64'))).toEqual(['FAIL', 'ok']);
    expect(judgeHost('kevin', null, 'x86_64')).toMatchObject([
      { level: 'FAIL', found: 'user kevin belongs to no host' },
    ]);
  });

  it('warns when the host has not the architecture of this machine', () => {
    expect(judgeHost('b1', host, 'aarch64')[1]).toMatchObject({
      level: 'warn',
      remedy: expect.stringContaining("--arches='aarch64'"),
    });
  });
});

describe('judgeChannels', () => {
  it.each([
    [['default', 'createrepo'], true, 'ok'],
    [['default'], false, 'ok'],
    [['default', 'createrepo'], false, 'FAIL'],
    [[], true, 'FAIL'],
  ])('with %j and topdir=%s is %s', (channels, hasTopDir, level) => {
    expect(judgeChannels('b1', channels, hasTopDir).level).toBe(level);
  });
});

describe('judgeTopUrl', () => {
  it.each([
    [{ status: 200 }, 'ok'],
    [{ status: 403 }, 'ok'],
    [{ status: 404 }, 'warn'],
    [{ status: 502 }, 'FAIL'],
    [{ problem: 'no route' }, 'FAIL'],
  ])('takes %o for %s', (answer, level) => {
    expect(judgeTopUrl('http://hub/kojifiles', answer).level).toBe(level);
  });
});

import { describe, expect, it } from 'vitest';
import { type HostState, whyNotReady } from './readiness.ts';

const mib = 2 ** 20;

const idle: HostState = {
  enabled: true,
  capacity: 4,
  taskLoad: 0,
  tasks: 0,
  maxJobs: 10,
  freeBytes: new Map([['/work', 9000 * mib]]),
  minSpaceBytes: 8192 * mib,
  readOnly: [],
  loadAverage: 0.1,
  processors: 2,
  draining: false,
  engineProblem: null,
};

describe('whyNotReady', () => {
  it('finds nothing wrong with an idle host', () => {
    expect(whyNotReady(idle)).toBeNull();
  });

  it.each<[string, Partial<HostState>, string]>([
    ['drains', { draining: true }, 'draining: the daemon stops when its tasks have ended'],
    ['is disabled', { enabled: false }, 'the host is disabled on the hub'],
    ['has no engine', { engineProblem: 'no podman' }, 'no podman'],
    ['has too much load', { taskLoad: 4.001 }, 'task load 4.00 is above the capacity 4'],
    ['has as many tasks as allowed', { tasks: 10 }, '10 tasks run here, maxjobs is 10'],
    [
      'has too little space',
      { freeBytes: new Map([['/work', 8192 * mib - 1]]) },
      '8191 MB free at /work, minspace is 8192',
    ],
    [
      'has too little space in one of two places',
      {
        freeBytes: new Map([
          ['/work', 9000 * mib],
          ['/images', 5 * mib],
        ]),
      },
      '5 MB free at /images, minspace is 8192',
    ],
    [
      'has a disk that is read-only',
      { readOnly: ['/work'] },
      '/work is on a file system that is read-only; see what the kernel says about its disk',
    ],
    ['is busy with other things', { loadAverage: 8.01 }, 'load average 8.01 is above 8'],
  ])('says why when the host %s', (_name, change, why) => {
    expect(whyNotReady({ ...idle, ...change })).toBe(why);
  });

  it.each<[string, Partial<HostState>]>([
    ['a load as high as the capacity', { taskLoad: 4 }],
    ['one task less than allowed', { tasks: 9 }],
    ['exactly the space that must be free', { freeBytes: new Map([['/work', 8192 * mib]]) }],
    ['four processes per processor', { loadAverage: 8 }],
  ])('still takes tasks with %s', (_name, change) => {
    expect(whyNotReady({ ...idle, ...change })).toBeNull();
  });

  it('takes none with maxjobs 0', () => {
    expect(whyNotReady({ ...idle, maxJobs: 0 })).not.toBeNull();
  });

  it('names what the operator did before what the machine lacks', () => {
    expect(whyNotReady({ ...idle, enabled: false, engineProblem: 'x', tasks: 99 })).toContain('disabled');
  });
});

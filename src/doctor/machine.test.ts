import { describe, expect, it } from 'vitest';
import {
  judgeAccept,
  judgeNode,
  judgeRunDirectory,
  judgeSpace,
  judgeStorageReach,
  judgeSubordinateIds,
  judgeTopDir,
  judgeWorkDir,
} from './machine.ts';

const gib = 2 ** 30;

describe('judgeNode', () => {
  it.each([
    ['v24.0.0', 'ok'],
    ['v26.1.0', 'ok'],
    ['v22.18.0', 'FAIL'],
  ])('takes %s for %s', (version, level) => {
    expect(judgeNode(version).level).toBe(level);
  });
});

describe('judgeSubordinateIds', () => {
  const user = { name: 'builder', uid: 1000 };

  it('adds up the ranges of the user, by name or by number', () => {
    const files = {
      subuid: 'other:1:99999\nbuilder:100000:65536\n',
      subgid: '# comment\n1000:100000:60000\nbuilder:300000:5536',
    };

    expect(judgeSubordinateIds(user, files)).toMatchObject({
      level: 'ok',
      found: '65536 in /etc/subuid, 65536 in /etc/subgid',
    });
  });

  it('fails when one of the files gives too few', () => {
    const files = { subuid: 'builder:100000:65536', subgid: 'builder:100000:65535' };

    expect(judgeSubordinateIds(user, files)).toMatchObject({
      level: 'FAIL',
      remedy: expect.stringContaining(
        'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 builder',
      ),
    });
  });
});

describe('judgeSpace', () => {
  it('fails below minspace', () => {
    expect(judgeSpace('workdir', '/var/tmp/koji', 8 * gib, 8 * gib).level).toBe('ok');
    expect(judgeSpace('workdir', '/var/tmp/koji', 8 * gib - 1, 8 * gib)).toMatchObject({
      level: 'FAIL',
      found: '8191 MiB free at /var/tmp/koji',
      remedy: expect.stringContaining('minspace (8192 MiB)'),
    });
  });
});

describe('judgeWorkDir', () => {
  it.each([
    ['/work', true, 'ok', '/work can be written'],
    ['/', true, 'ok', '/work will be made'],
    ['/work', false, 'FAIL', '/work cannot be written'],
    ['/', false, 'FAIL', '/work cannot be made in /'],
  ])('with %s there and writable=%s says %s', (path, writable, level, found) => {
    expect(judgeWorkDir('/work', { path, writable, stranger: null })).toMatchObject({ level, found });
  });
});

it('judgeWorkDir says who else could replace it', () => {
  const stranger = 'every user may replace what is in /work';

  expect(judgeWorkDir('/work/x', { path: '/work/x', writable: true, stranger })).toMatchObject({
    level: 'FAIL',
    found: stranger,
  });
});

describe('judgeStorageReach', () => {
  const way = (...modes: readonly number[]) =>
    modes.map((mode, at) => ({ path: `/d${at}`, mode: 0o40000 | mode }));

  it('is content when one directory on the way to each layer is closed', () => {
    // Podman 4 closes the storage, Podman 5 each layer.
    expect(
      judgeStorageReach('/s', [way(0o755, 0o700, 0o755), way(0o755, 0o755, 0o700, 0o755)]),
    ).toMatchObject([{ level: 'ok' }]);
  });

  it('finds layers that every user can go into', () => {
    expect(judgeStorageReach('/s', [way(0o755, 0o700), way(0o755, 0o711, 0o755)])).toMatchObject([
      {
        level: 'FAIL',
        found: expect.stringContaining('1 of 2 layers are open, such as /d2'),
        remedy: 'chmod 0700 /s',
      },
    ]);
  });

  it('has nothing to say of storage without layers', () => {
    expect(judgeStorageReach('/s', [])).toEqual([]);
  });
});

describe('judgeAccept', () => {
  it('says nothing of a host that takes everything', () => {
    expect(judgeAccept('', [], ['build'])).toEqual([]);
  });

  it('shows what is left of the work', () => {
    expect(judgeAccept('scratch=only', [], ['build'])).toEqual([
      {
        level: 'warn',
        what: 'accept',
        found: 'limited to scratch=only; all other tasks are refused for good',
        remedy: "keep a builder in each of the host's channels that takes the rest",
      },
    ]);
  });

  it('fails where a method is misspelt', () => {
    expect(judgeAccept('methods=biuld', ['biuld'], ['build', 'sleep'])).toMatchObject([
      { level: 'FAIL', found: 'no task method is biuld', remedy: expect.stringContaining('build sleep') },
    ]);
  });
});

describe('judgeTopDir', () => {
  it('warns when the tree is not there', () => {
    expect(judgeTopDir('/mnt/koji', true).level).toBe('ok');
    expect(judgeTopDir('/mnt/koji', false).level).toBe('warn');
  });
});

describe('judgeRunDirectory', () => {
  it('warns when little is free', () => {
    expect(judgeRunDirectory('/run/c', true, 2 * gib)).toMatchObject({
      level: 'ok',
      found: '/run/c (in memory), 2048 MiB free',
    });
    expect(judgeRunDirectory('/run/c', true, gib - 1).level).toBe('warn');
  });
});

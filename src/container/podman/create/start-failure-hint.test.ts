import { expect, it } from 'vitest';
import { createHint, startHint } from './start-failure-hint.ts';

it.each([
  ['container init was OOM-killed (memory limit too low?)', 100, 'memory limit'],
  ['error setting rlimit type 7: operation not permitted', 100, 'ulimits'],
  ['fork/exec /proc/self/exe: cannot allocate memory', 100, 'ulimits of address space'],
  ['cgroups: cannot find cgroup mount destination', 100, 'cgroup_manager'],
  ['`/usr/bin/runc start f00d` failed: exit status 1', 1, 'its limit of 1 processes'],
])('says what to do about %s', (message, pids, words) => {
  expect(startHint(message, { pids })).toContain(words);
});

it.each([
  ['`/usr/bin/runc start f00d` failed: exit status 1', 16_384],
  ['exec: "/bin/none": no such file or directory', 1],
])('says nothing about %s with %i processes', (message, pids) => {
  expect(startHint(message, { pids })).toBe('');
});

it.each([
  'opening seccomp profile failed: open /work/seccomp.json: no such file or directory',
  'statfs /work/tasks/1/in: no such file or directory',
])('says where an engine has to run that answers: %s', (message) => {
  expect(createHint(message)).toContain('has to run on this host and see its files');
});

it('says nothing of it about other things that are missing', () => {
  expect(createHint('crun: exec: "/bin/none": no such file or directory')).toBe('');
});

import { describe, expect, it } from 'vitest';
import { allOf } from '../../test/support/all-of.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { FakeBehaviour } from '../container/fake/behaviour.ts';
import { FakeRuntime } from '../container/fake/fake-runtime.ts';
import { never } from '../core/never.ts';
import { checkEngine } from './check-engine.ts';

const reached = { socketPath: '/run/p.sock', kind: 'found' } as const;
const seccomp = { kind: 'extended', from: '/usr/share/containers/seccomp.json' } as const;
const name = 'localhost/bootstrap:x86_64';

async function check(behaviours: Readonly<Record<string, FakeBehaviour>>, image = name) {
  const containers = new FakeRuntime({
    clock: new FakeClock(),
    images: { [name]: { id: 'x', digest: 'sha256:x', arch: 'x86_64' } },
    behave: ({ owner }) => behaviours[owner.phase] ?? {},
  });
  const info = await containers.probe(never);
  const findings = await allOf(
    checkEngine(
      { ...containers.ports, reached, seccomp: async () => seccomp },
      info,
      { name: image, pull: 'if-not-present', limits: { pids: 100 } },
      'x86_64',
      never,
    ),
  );
  containers.assertClean();
  return { containers, levels: Object.fromEntries(findings.map(({ what, level }) => [what, level])) };
}

describe('checkEngine', () => {
  it('runs containers without network and leaves none behind', async () => {
    const { containers, levels } = await check({ inspect: { output: 'pids=512\nmemory=536870912\n' } });

    expect(levels).toMatchObject({
      'seccomp profile': 'ok',
      'default image': 'ok',
      'OCI runtime': 'ok',
      'limits of containers': 'ok',
      'tools of the default image': 'ok',
      'limits of builds': 'ok',
    });
    expect(containers.created.map(({ network }) => network)).toEqual(['none', 'none', 'none']);
    expect(containers.created[0]?.command).toEqual(['/bin/true']);
  });

  it('reports tools that are missing and limits that do not hold', async () => {
    const { levels } = await check({ inspect: { output: 'missing=rpm\npids=max\nmemory=536870912\n' } });

    expect(levels).toMatchObject({ 'limits of containers': 'warn', 'tools of the default image': 'FAIL' });
  });

  it('fails when containers do not start', async () => {
    const { levels } = await check({ true: { startFail: 'cgroups in hybrid mode not supported' } });

    expect(levels).toMatchObject({ 'OCI runtime': 'FAIL' });
    expect(levels).not.toHaveProperty(['tools of the default image']);
  });

  it('says which limits no container starts with', async () => {
    const { levels } = await check({
      inspect: { output: 'pids=512\nmemory=536870912\n' },
      limits: { startFail: 'unable to set memory limit' },
    });

    expect(levels).toMatchObject({ 'tools of the default image': 'ok', 'limits of builds': 'FAIL' });
  });

  it('tries no container of an image that is not there', async () => {
    const { containers, levels } = await check({}, 'localhost/other');

    expect(levels).toMatchObject({ 'default image': 'FAIL' });
    expect(containers.created).toEqual([]);
  });
});

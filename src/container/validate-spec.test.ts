import { describe, expect, it } from 'vitest';
import type { ContainerSpec, Isolation } from './spec.ts';
import { checkSpec } from './validate-spec.ts';

const spec: ContainerSpec = {
  name: 'one',
  root: { kind: 'image', image: 'localhost/root:1' },
  command: ['/bin/sh'],
  env: {},
  workdir: '/',
  user: { uid: 0, gid: 0 },
  capabilities: [],
  isolation: 'plain',
  network: 'none',
  hostname: 'h',
  mounts: [],
  limits: { pids: 1 },
  owner: { workerId: 'w', taskId: 1, phase: 'p', attempt: 1 },
  labels: {},
};

describe('checkSpec', () => {
  it('passes an isolation that the back end has', () => {
    expect(() => checkSpec(spec, ['plain'])).not.toThrow();
  });

  it('refuses one that the back end has not, and names it', () => {
    expect(() => checkSpec(spec, [])).toThrow(
      'container "one": this back end has no isolation plain; it has none',
    );
  });

  it('refuses one that there is not', () => {
    // As a record of another version may hold it.
    const isolation = 'elsewhere' as Isolation;

    expect(() => checkSpec({ ...spec, isolation }, ['plain'])).toThrow(
      'container "one": isolation "elsewhere" has to be one of plain',
    );
  });
});

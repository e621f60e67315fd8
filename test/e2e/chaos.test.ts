import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeE2e } from './surroundings.ts';

describeE2e('a daemon in trouble (npm run chaos -- --short)', () => {
  it('loses no task, does none twice, and leaves no container, file, mount, buildroot or session', () => {
    const script = join(import.meta.dirname, '../../scripts/chaos/chaos.ts');

    const { stdout, stderr } = spawnSync(process.execPath, [script, '--short', '--seed', '1'], {
      encoding: 'utf8',
      timeout: 280_000,
    });

    const last = stdout.trimEnd().split('\n').at(-1);
    expect(last, stdout + stderr).toMatch(/^8 tasks, \d+ faults, 0 lost, 0 doubled, 0 leaked$/);
  });
});

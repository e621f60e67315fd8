import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const unit = join(import.meta.dirname, '../../config/koji-adjutant.service');
const isMissing = spawnSync('systemd-analyze', ['--version']).error !== undefined;

it.skipIf(isMissing)('the unit of the daemon is exposed no more than the documents say', () => {
  const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=yes', '--no-pager', unit], {
    encoding: 'utf8',
  });

  const [, exposure] = /Overall exposure level for [^:]+: (\d+\.\d)/.exec(stdout) ?? [];
  expect(Number(exposure)).toBeLessThanOrEqual(4);
});

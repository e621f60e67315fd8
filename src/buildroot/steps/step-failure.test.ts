import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { judgedStatus, passStatusOn } from './step-failure.ts';

const bash = spawnSync('bash', ['--version'], { encoding: 'utf8' });
const noBash = bash.status === 0 ? '' : ' (skipped: there is no bash)';

describe(`the status that a script passes on${noBash}`, () => {
  it.skipIf(noBash !== '').each([0, 1, 11, 97, 125, 126, 127, 128, 139])(
    'is %i of the command, and never that of a script which did not begin',
    (status) => {
      const script = [`(exit ${status})`, ...passStatusOn, 'exit "$status"'].join('\n');
      const ended = spawnSync('bash', ['-c', script]).status ?? -1;

      expect(ended).not.toBe(126);
      expect(ended).not.toBe(127);
      expect(judgedStatus(ended)).toBe(status);
    },
  );
});

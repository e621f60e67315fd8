import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { journalVersion, stepIds } from './step-ids.ts';

it('has the ids that are checked in for its version', async () => {
  const list = join(import.meta.dirname, 'step-ids.json');
  const checkedIn = JSON.parse(await readFile(list, 'utf8'));

  expect(
    { journalVersion, stepIds },
    'a journal of a running task holds these ids: raise journalVersion in step-ids.ts, then put version and ids into step-ids.json. ' +
      'Only where ids were added, and no step has changed, the version may stay',
  ).toEqual(checkedIn);
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { TaskTroubles } from './task-troubles.ts';

describe('TaskTroubles', () => {
  it('gives a task up that was at the same place at three unclean ends in a row', async () => {
    const directory = await temporaryDirectory();
    for (const lines of [4, 4, 4]) {
      // Each life reads what the one before has left.
      const troubles = new TaskTroubles(directory);
      expect(await troubles.whyGivenUp(7)).toBeNull();
      await troubles.noteUncleanEnd(7, { lines, writtenBytes: 0 });
    }

    expect(await new TaskTroubles(directory).whyGivenUp(7)).toContain('3 times in a row');
    expect(await new TaskTroubles(directory).whyGivenUp(8)).toBeNull();
  });

  it('lets a task that comes further be killed more often, but not for ever', async () => {
    const troubles = new TaskTroubles(await temporaryDirectory());
    for (let lines = 1; lines <= 9; lines += 1) await troubles.noteUncleanEnd(7, { lines, writtenBytes: 0 });

    expect(await troubles.whyGivenUp(7)).toBeNull();
    await troubles.noteUncleanEnd(7, { lines: 10, writtenBytes: 0 });
    expect(await troubles.whyGivenUp(7)).toContain('10 times');
  });

  it('begins anew after a clean end, and when the task is forgotten', async () => {
    const troubles = new TaskTroubles(await temporaryDirectory());
    for (let end = 0; end < 2; end += 1) await troubles.noteUncleanEnd(7, { lines: 1, writtenBytes: 0 });
    await troubles.noteCleanEnd(7);
    await troubles.noteUncleanEnd(7, { lines: 1, writtenBytes: 0 });
    expect(await troubles.whyGivenUp(7)).toBeNull();
    await troubles.noteUncleanEnd(7, { lines: 1, writtenBytes: 0 });
    await troubles.forget(7);
    await troubles.noteUncleanEnd(7, { lines: 1, writtenBytes: 0 });

    expect(await troubles.whyGivenUp(7)).toBeNull();
  });

  it('counts soft refusals', async () => {
    const troubles = new TaskTroubles(await temporaryDirectory());

    expect(await troubles.noteSoftRefusal(7)).toBe(1);
    expect(await troubles.noteSoftRefusal(7)).toBe(2);
    await troubles.forget(7);
    expect(await troubles.noteSoftRefusal(7)).toBe(1);
  });

  it('takes a damaged record for none, and forgets what is long over', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, '7.json'), '{"unclean');
    const troubles = new TaskTroubles(directory, () => Date.now() + 15 * 24 * 3_600_000);

    expect(await troubles.whyGivenUp(7)).toBeNull();
    for (let end = 0; end < 3; end += 1) await troubles.noteUncleanEnd(8, { lines: 1, writtenBytes: 0 });
    await troubles.prune();
    expect(await troubles.whyGivenUp(8)).toBeNull();
  });
});

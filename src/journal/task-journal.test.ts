import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fillDiskAfter } from '../../test/support/full-disk.ts';
import { keptLog } from '../../test/support/silent-log.ts';
import { TaskJournal } from './task-journal.ts';

describe('TaskJournal', () => {
  let area: string;
  let directory: string;
  let writtenBytes = 0;

  beforeEach(async () => {
    writtenBytes = 0;
    area = await mkdtemp(join(tmpdir(), 'task-journal-'));
    directory = join(area, 'tasks');
  });
  afterEach(() => rm(area, { recursive: true }));

  function openJournal() {
    const { log, lines } = keptLog();
    const progress = {
      writtenBytes: async () => writtenBytes,
      isWaiting: (key: string) => key === 'sleep-until',
    };
    return { journal: new TaskJournal(directory, z.string(), () => 0, log, progress), lines };
  }

  it('gives the tasks that a previous run has begun', async () => {
    const { journal } = openJournal();
    await (await journal.begin(7, 'head')).close();

    const found = await openJournal().journal.reopen();

    expect(found).toMatchObject([{ taskId: 7, head: 'head' }]);
    for (const { history } of found) await history.close();
  });

  it('counts the lives that have not handed the task over, and no others', async () => {
    const { journal } = openJournal();
    await (await journal.begin(7, 'head')).close();
    const startAgain = async () => {
      const next = openJournal().journal;
      for (const { history } of await next.reopen()) await history.close();
      return next;
    };

    await startAgain();
    await (await startAgain()).handOver([7]);
    const afterHandOver = await startAgain();
    expect(await afterHandOver.troubles.whyGivenUp(7)).toBeNull();
    for (let life = 0; life < 3; life += 1) await startAgain();

    expect(await afterHandOver.troubles.whyGivenUp(7)).toContain('3 times in a row');
  });

  it('does not count the lives in which the task has written to its logs, or waited for others', async () => {
    const { journal } = openJournal();
    const waiter = await journal.begin(8, 'head');
    await waiter.once('sleep-until', z.string(), async () => 'done');
    await waiter.close();
    await (await journal.begin(7, 'head')).close();
    for (let life = 0; life < 4; life += 1) {
      writtenBytes += 1;
      for (const { history } of await openJournal().journal.reopen()) await history.close();
    }

    expect(await journal.troubles.whyGivenUp(7)).toBeNull();
    expect(await journal.troubles.whyGivenUp(8)).toBeNull();
  });

  it('leaves nothing of a history for whose beginning there is no room', async () => {
    const { journal } = openJournal();
    await fillDiskAfter(0);

    await expect(journal.begin(7, 'head')).rejects.toThrow('no space left');

    const links = await readdir('/proc/self/fd');
    const open = await Promise.all(links.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => 'closed')));
    expect(open.filter((path) => path.startsWith(directory))).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    ['the machine was rebooted', (text: string) => text.replace(/"boot":"[^"]+"/, '"boot":"another"')],
    ['its journal is empty', (text: string) => text.slice(0, -5)],
    ['JSON', () => 'no journal\n'],
  ])('forgets what cannot be resumed, and says why: %s', async (reason, spoil) => {
    const { journal } = openJournal();
    await (await journal.begin(7, 'head')).close();
    const path = join(directory, '7.jsonl');
    await writeFile(path, spoil(await readFile(path, 'utf8')));

    const next = openJournal();

    expect(await next.journal.reopen()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
    expect(next.lines).toMatchObject([{ level: 40, taskId: 7, reason: expect.stringContaining(reason) }]);
  });
});

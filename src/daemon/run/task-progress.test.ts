import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ScriptedSession } from '../../../test/support/scripted-session.ts';
import { openTaskJournal, taskHead } from '../../../test/support/task-journal.ts';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { SubtasksApi } from '../../hub/api/subtasks.ts';
import { ReplayingSession } from '../../hub/session/replaying-session.ts';
import { taskDirectory } from './task-runner.ts';

const hub = new ScriptedSession()
  .on('host.taskSetWait', null)
  .on('host.taskWait', [[], [6]])
  .on('host.newBuildRoot', 9);

/** Whether task 5 is given up after four unclean ends; `work` is what it does first, `meanwhile` what each run adds. */
async function whyGivenUp(
  work: (session: ReplayingSession) => Promise<unknown>,
  meanwhile: (logs: string) => Promise<unknown> = async () => undefined,
): Promise<string | null> {
  const workDir = await temporaryDirectory();
  const logs = join(workDir, taskDirectory(5), 'logs');
  await mkdir(logs, { recursive: true });
  const history = await openTaskJournal(workDir).begin(5, taskHead(5));
  await work(new ReplayingSession(hub, history));
  await history.close();
  for (let run = 0; run < 4; run += 1) {
    await meanwhile(logs);
    for (const { history: resumed } of await openTaskJournal(workDir).reopen()) await resumed.close();
  }
  return openTaskJournal(workDir).troubles.whyGivenUp(5);
}

const works = (session: ReplayingSession) => session.call('host.newBuildRoot', [1], z.int());

describe('a task at unclean ends of the daemon', () => {
  it('is given up when it stays where it is', async () => {
    expect(await whyGivenUp(works)).toContain('in a row');
  });

  it('is not given up while its logs grow', async () => {
    const writes = (logs: string) => appendFile(join(logs, 'build.log'), 'more\n');

    expect(await whyGivenUp(works, writes)).toBeNull();
  });

  it('is not given up for what others do while it waits for its children', async () => {
    const waits = async (session: ReplayingSession) => {
      const api = new SubtasksApi(session);
      await api.taskSetWait(5, [6]);
      await api.taskWait(5);
    };

    expect(await whyGivenUp(waits)).toBeNull();
  });
});

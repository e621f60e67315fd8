import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../../test/support/silent-log.ts';
import { BackgroundRemovals } from '../../container/background-removals.ts';
import type { ContainerSummary, StepRuntime } from '../../container/step-runtime.ts';
import { never } from '../../core/never.ts';
import { removeOrphans } from './orphan-cleanup.ts';

it('removes what no running task owns: containers, their output, and directories', async () => {
  const workDir = await mkdtemp(join(tmpdir(), 'left-overs-'));
  onTestFinished(() => rm(workDir, { recursive: true }));
  for (const place of ['containers', 'tasks/1/1', 'tasks/2/2'])
    await mkdir(join(workDir, place), { recursive: true });
  for (const name of ['c-1.log', 'c-2.log', 'c-2.log.1', 'gone.log', 'gone.log.1'])
    await writeFile(join(workDir, 'containers', name), '');
  const there = new Map([1, 2].map((taskId) => [`id-${taskId}`, summary(taskId)]));
  const runtime: Partial<StepRuntime> = {
    list: async () => [...there.values()],
    async remove(id) {
      there.delete(id);
    },
  };

  await removeOrphans(
    {
      // Nothing else is asked of it.
      runtime: runtime as StepRuntime,
      workerId: 'w',
      removals: new BackgroundRemovals(silentLog),
      failed: { holds: () => false },
      workDir,
      isRunning: (taskId) => taskId === 2,
      log: silentLog,
    },
    never,
  );

  expect([...there.keys()]).toEqual(['id-2']);
  expect((await readdir(join(workDir, 'containers'))).sort()).toEqual(['c-2.log', 'c-2.log.1']);
  expect(await readdir(join(workDir, 'tasks'))).toEqual(['2']);
});

function summary(taskId: number): ContainerSummary {
  const owner = { workerId: 'w', taskId, phase: 'build', attempt: 1 };
  return { id: `id-${taskId}`, name: `c-${taskId}`, owner, state: 'running', createdMs: 0 };
}

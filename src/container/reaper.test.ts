import { describe, expect, it } from 'vitest';
import { createLogger } from '../core/logger.ts';
import { never } from '../core/never.ts';
import { reapOrphans } from './reaper.ts';
import type { ContainerSummary, StepRuntime } from './step-runtime.ts';

function stray(id: string, taskId: number): ContainerSummary {
  const owner = { workerId: 'builder', taskId, phase: 'build', attempt: 1 };
  return { id, name: `container-${id}`, owner, state: 'running', createdMs: 0 };
}

describe('reapOrphans', () => {
  it('continues after one that cannot be removed, and says why', async () => {
    const containers = [stray('a', 1), stray('b', 2), stray('c', 3)];
    const removed: string[] = [];
    const runtime: Pick<StepRuntime, 'list' | 'remove'> = {
      list: async () => containers,
      async remove(id) {
        if (id === 'a') throw new Error('device busy');
        removed.push(id);
      },
    };

    const report = await reapOrphans(
      runtime,
      'builder',
      ({ owner }) => owner.taskId === 3,
      createLogger('silent'),
      never,
    );

    expect(removed).toEqual(['b']);
    expect(report.failed.map(({ container, error }) => [container.id, String(error)])).toEqual([
      ['a', 'Error: device busy'],
    ]);
    expect(report.kept.map(({ id }) => id)).toEqual(['c']);
  });
});

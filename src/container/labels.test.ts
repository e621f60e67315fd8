import { describe, expect, it } from 'vitest';
import { parseLabels, toLabels } from './labels.ts';

describe('labels', () => {
  it.each([
    { workerId: 'builder', taskId: 12, phase: 'build', attempt: 1 },
    { workerId: 'builder', taskId: 12, phase: 'install', attempt: 3, buildrootId: 99 },
  ])('carry an owner there and back: %o', (owner) => {
    expect(parseLabels(toLabels(owner))).toEqual(owner);
  });

  it('are nobody of ours when one is missing or no number', () => {
    expect(parseLabels({})).toBeUndefined();
    expect(parseLabels({ 'io.koji.adjutant.worker_id': 'builder' })).toBeUndefined();
    expect(
      parseLabels({
        ...toLabels({ workerId: 'b', taskId: 1, phase: 'p', attempt: 1 }),
        'io.koji.adjutant.task_id': 'x',
      }),
    ).toBeUndefined();
  });
});

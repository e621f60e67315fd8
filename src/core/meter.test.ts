import { expect, it } from 'vitest';
import { noMeter } from './meter.ts';

it('takes metrics of the table only, each with its labels and in its way', () => {
  const attempts = [
    () => noMeter.count('koji_adjutant_snapshots_made_total', {}),
    () => noMeter.observe('koji_adjutant_phase_seconds', { phase: 'solve' }, 1),
    // @ts-expect-error A metric that nobody has declared.
    () => noMeter.count('koji_adjutant_snapshot_made_total', {}),
    // @ts-expect-error A counter has no durations.
    () => noMeter.observe('koji_adjutant_snapshots_made_total', {}, 1),
    // @ts-expect-error A label is missing.
    () => noMeter.count('koji_adjutant_tasks_total', { method: 'build' }),
    // @ts-expect-error The label has another name.
    () => noMeter.observe('koji_adjutant_phase_seconds', { step: 'solve' }, 1),
  ];

  for (const attempt of attempts) expect(attempt).not.toThrow();
});

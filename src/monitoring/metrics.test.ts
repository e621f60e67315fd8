import { describe, expect, it } from 'vitest';
import { Metrics } from './metrics.ts';

describe('Metrics', () => {
  it('renders counters and gauges, with what has to be escaped in labels', () => {
    const metrics = new Metrics({
      made_total: { type: 'counter', help: 'What was made.', labels: [] },
      ended_total: { type: 'counter', help: 'What has ended.', labels: ['method', 'end'] },
      free: { type: 'gauge', help: 'What is free.', labels: [] },
    } as const);
    metrics.count('made_total', {}, 2);
    metrics.count('ended_total', { method: 'a"b\\c\nd', end: 'closed' });
    metrics.count('ended_total', { method: 'a"b\\c\nd', end: 'closed' });
    metrics.set('free', {}, 1.5);
    metrics.set('free', {}, 0.5);

    expect(metrics.render()).toBe(`# HELP made_total What was made.
# TYPE made_total counter
made_total 2
# HELP ended_total What has ended.
# TYPE ended_total counter
ended_total{method="a\\"b\\\\c\\nd",end="closed"} 2
# HELP free What is free.
# TYPE free gauge
free 0.5
`);
  });

  it('renders histograms with cumulative buckets', () => {
    const metrics = new Metrics({
      took_seconds: { type: 'histogram', help: 'How long.', labels: ['phase'] },
    } as const);
    metrics.observe('took_seconds', { phase: 'solve' }, 0.05);
    metrics.observe('took_seconds', { phase: 'solve' }, 0.3);
    metrics.observe('took_seconds', { phase: 'solve' }, 10_000);

    const lines = metrics.render().split('\n');

    expect(lines).toContain('took_seconds_bucket{phase="solve",le="0.05"} 1');
    expect(lines).toContain('took_seconds_bucket{phase="solve",le="0.25"} 1');
    expect(lines).toContain('took_seconds_bucket{phase="solve",le="0.5"} 2');
    expect(lines).toContain('took_seconds_bucket{phase="solve",le="7200"} 2');
    expect(lines).toContain('took_seconds_bucket{phase="solve",le="+Inf"} 3');
    expect(lines).toContain('took_seconds_sum{phase="solve"} 10000.35');
    expect(lines).toContain('took_seconds_count{phase="solve"} 3');
  });

  it('has what can be counted at 0 from the beginning, unless labels tell it apart', () => {
    const metrics = new Metrics({
      made_total: { type: 'counter', help: 'What was made.', labels: [] },
      ended_total: { type: 'counter', help: 'What has ended.', labels: ['end'] },
      took_seconds: { type: 'histogram', help: 'How long.', labels: [] },
    } as const);

    expect(metrics.render().match(/^[^#].*$/gm)).toEqual(['made_total 0']);
  });
});

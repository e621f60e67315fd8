import { builderMetricTable } from '../core/metric-table.ts';
import { type BuilderEvents, endLabels } from '../daemon/events.ts';
import { Metrics } from './metrics.ts';

/** What a builder counts. */
export type BuilderMetrics = Metrics<typeof builderMetricTable>;

/** The metrics of a builder, of which nothing has been counted yet. */
export function builderMetrics(): BuilderMetrics {
  return new Metrics(builderMetricTable);
}

/** Counts what the daemon tells; from now on. */
export function countEvents(metrics: BuilderMetrics, events: BuilderEvents): void {
  events.on('task:started', () => metrics.count('koji_adjutant_tasks_running', {}));
  events.on('task:ended', ({ method, outcome, durationMs }) => {
    metrics.count('koji_adjutant_tasks_running', {}, -1);
    metrics.count('koji_adjutant_tasks_total', { method, end: endLabels[outcome] });
    metrics.observe('koji_adjutant_task_seconds', { method }, durationMs / 1000);
  });
  events.on('task:refused', ({ method }) =>
    metrics.count('koji_adjutant_tasks_total', { method, end: endLabels.refuse }),
  );
  events.on('child:placed', ({ method, here }) =>
    metrics.count('koji_adjutant_children_total', { method, placed: here ? 'here' : 'hub' }),
  );
  events.on('poll:done', ({ ready }) => {
    metrics.set('koji_adjutant_ready', {}, ready ? 1 : 0);
    metrics.count('koji_adjutant_polls_total', { result: 'done' });
  });
  events.on('poll:failed', () => {
    metrics.set('koji_adjutant_ready', {}, 0);
    metrics.count('koji_adjutant_polls_total', { result: 'failed' });
  });
  events.on('daemon:stopping', () => metrics.set('koji_adjutant_ready', {}, 0));
}

import { type BuilderEvents, endLabels } from '../daemon/events.ts';
import { Metrics } from './metrics.ts';

const prefix = 'koji_adjutant';

/** The metrics of a builder, all declared. Callers use these names: they are part of what operators rely on. */
export function builderMetrics(): Metrics {
  const metrics = new Metrics();
  const declare = (
    name: string,
    type: 'counter' | 'gauge' | 'histogram',
    help: string,
    startsAtZero = false,
  ) => metrics.declare(`${prefix}_${name}`, type, help, startsAtZero);
  declare('ready', 'gauge', 'Whether this host takes tasks: 1 or 0.', true);
  declare('tasks_running', 'gauge', 'Tasks that run here.', true);
  declare('tasks_total', 'counter', 'Tasks that have ended here, by method and end.');
  declare(
    'children_total',
    'counter',
    'Children that tasks of this host have made, by method and by who placed them: here (opened at once) or hub.',
  );
  declare('task_seconds', 'histogram', 'How long tasks ran here, by method.');
  declare('polls_total', 'counter', 'Rounds with the hub, by result.');
  declare('hub_requests_total', 'counter', 'Requests to the hub, by kind (call, upload) and result.');
  declare('hub_request_seconds', 'histogram', 'How long the hub took to answer, by kind (call, upload).');
  declare('phase_seconds', 'histogram', 'How long the phases of buildroots took, by phase.');
  declare('snapshot_hits_total', 'counter', 'Roots that were taken from a snapshot.', true);
  declare('snapshot_misses_total', 'counter', 'Roots of which there was no snapshot.', true);
  declare('snapshots_made_total', 'counter', 'Snapshots that were made.', true);
  declare('package_hits_total', 'counter', 'Packages for roots that were in the cache.', true);
  declare('package_misses_total', 'counter', 'Packages for roots that had to be fetched.', true);
  declare('package_fetched_bytes_total', 'counter', 'Bytes of packages that had to be fetched.', true);
  declare('snapshots', 'gauge', 'Snapshots on this host.', true);
  declare('snapshot_bytes', 'gauge', 'What snapshots take on the disk.', true);
  declare('packages', 'gauge', 'Packages and repo metadata in the cache.', true);
  declare('package_bytes', 'gauge', 'What they take on the disk.', true);
  declare('failed_buildroots', 'gauge', 'Roots of failed builds that are kept.', true);
  declare('failed_buildroot_bytes', 'gauge', 'What they take on the disk.', true);
  return metrics;
}

/** Counts what the daemon tells; from now on. */
export function countEvents(metrics: Metrics, events: BuilderEvents): void {
  events.on('task:started', () => metrics.count(`${prefix}_tasks_running`, {}));
  events.on('task:ended', ({ method, outcome, durationMs }) => {
    metrics.count(`${prefix}_tasks_running`, {}, -1);
    metrics.count(`${prefix}_tasks_total`, { method, end: endLabels[outcome] });
    metrics.observe(`${prefix}_task_seconds`, { method }, durationMs / 1000);
  });
  events.on('task:refused', ({ method }) =>
    metrics.count(`${prefix}_tasks_total`, { method, end: endLabels.refuse }),
  );
  events.on('child:placed', ({ method, here }) =>
    metrics.count(`${prefix}_children_total`, { method, placed: here ? 'here' : 'hub' }),
  );
  events.on('poll:done', ({ ready }) => {
    metrics.set(`${prefix}_ready`, {}, ready ? 1 : 0);
    metrics.count(`${prefix}_polls_total`, { result: 'done' });
  });
  events.on('poll:failed', () => {
    metrics.set(`${prefix}_ready`, {}, 0);
    metrics.count(`${prefix}_polls_total`, { result: 'failed' });
  });
  events.on('daemon:stopping', () => metrics.set(`${prefix}_ready`, {}, 0));
}

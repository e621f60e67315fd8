/** What a metric is: its type for Prometheus, what it says to operators, and the names of its labels. */
export interface MetricDeclaration {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

/** Metrics by name, in the order in which they are shown. */
export type MetricTable = Readonly<Record<string, MetricDeclaration>>;

/** The metrics of a builder. Operators rely on their names and labels; nothing else can be counted. */
export const builderMetricTable = {
  koji_adjutant_ready: { type: 'gauge', help: 'Whether this host takes tasks: 1 or 0.', labels: [] },
  koji_adjutant_tasks_running: { type: 'gauge', help: 'Tasks that run here.', labels: [] },
  koji_adjutant_tasks_total: {
    type: 'counter',
    help: 'Tasks that have ended here, by method and end.',
    labels: ['method', 'end'],
  },
  koji_adjutant_children_total: {
    type: 'counter',
    help: 'Children that tasks of this host have made, by method and by who placed them: here (opened at once) or hub.',
    labels: ['method', 'placed'],
  },
  koji_adjutant_task_seconds: {
    type: 'histogram',
    help: 'How long tasks ran here, by method.',
    labels: ['method'],
  },
  koji_adjutant_polls_total: { type: 'counter', help: 'Rounds with the hub, by result.', labels: ['result'] },
  koji_adjutant_hub_requests_total: {
    type: 'counter',
    help: 'Requests to the hub, by kind (call, upload) and result.',
    labels: ['kind', 'result'],
  },
  koji_adjutant_hub_request_seconds: {
    type: 'histogram',
    help: 'How long the hub took to answer, by kind (call, upload).',
    labels: ['kind'],
  },
  koji_adjutant_phase_seconds: {
    type: 'histogram',
    help: 'How long the phases of buildroots took, by phase.',
    labels: ['phase'],
  },
  koji_adjutant_snapshot_hits_total: {
    type: 'counter',
    help: 'Roots that were taken from a snapshot.',
    labels: [],
  },
  koji_adjutant_snapshot_misses_total: {
    type: 'counter',
    help: 'Roots of which there was no snapshot.',
    labels: [],
  },
  koji_adjutant_snapshots_made_total: { type: 'counter', help: 'Snapshots that were made.', labels: [] },
  koji_adjutant_package_hits_total: {
    type: 'counter',
    help: 'Packages for roots that were in the cache.',
    labels: [],
  },
  koji_adjutant_package_misses_total: {
    type: 'counter',
    help: 'Packages for roots that had to be fetched.',
    labels: [],
  },
  koji_adjutant_package_fetched_bytes_total: {
    type: 'counter',
    help: 'Bytes of packages that had to be fetched.',
    labels: [],
  },
  koji_adjutant_snapshots: { type: 'gauge', help: 'Snapshots on this host.', labels: [] },
  koji_adjutant_snapshot_bytes: { type: 'gauge', help: 'What snapshots take on the disk.', labels: [] },
  koji_adjutant_packages: { type: 'gauge', help: 'Packages and repo metadata in the cache.', labels: [] },
  koji_adjutant_package_bytes: { type: 'gauge', help: 'What they take on the disk.', labels: [] },
  koji_adjutant_failed_buildroots: {
    type: 'gauge',
    help: 'Roots of failed builds that are kept.',
    labels: [],
  },
  koji_adjutant_failed_buildroot_bytes: { type: 'gauge', help: 'What they take on the disk.', labels: [] },
} as const satisfies MetricTable;

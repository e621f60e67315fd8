import type { builderMetricTable, MetricDeclaration, MetricTable } from './metric-table.ts';

/** Names of the metrics of a table that are of these types. */
export type MetricName<Table extends MetricTable, Type extends MetricDeclaration['type']> = {
  [Name in keyof Table & string]: Table[Name]['type'] extends Type ? Name : never;
}[keyof Table & string];

/** The labels of a metric with their values. */
export type MetricLabels<Table extends MetricTable, Name extends keyof Table> = Readonly<
  Record<Table[Name]['labels'][number], string>
>;

/** Where things that happen are counted, for monitoring. Counting never fails. */
export interface Meter<Table extends MetricTable = typeof builderMetricTable> {
  /** Adds to a counter, or to a gauge. */
  count<Name extends MetricName<Table, 'counter' | 'gauge'>>(
    name: Name,
    labels: MetricLabels<Table, Name>,
    by?: number,
  ): void;
  /** Adds a duration to a histogram. */
  observe<Name extends MetricName<Table, 'histogram'>>(
    name: Name,
    labels: MetricLabels<Table, Name>,
    seconds: number,
  ): void;
}

/** Counts nothing. */
export const noMeter: Meter = { count: () => undefined, observe: () => undefined };

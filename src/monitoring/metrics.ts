import type { Meter, MetricLabels, MetricName } from '../core/meter.ts';
import type { MetricDeclaration, MetricTable } from '../core/metric-table.ts';

type Labels = Readonly<Record<string, string>>;

/** Upper bounds in seconds: from a snapshot that is there to a build that takes hours. */
const buckets: readonly number[] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];

interface Series {
  readonly labels: Labels;
  value: number;
  readonly below: number[];
  count: number;
}

/**
 * The counters, gauges and histograms of a table as Prometheus reads them (text format 0.0.4). One without labels that can be
 * counted is there with 0 from the beginning.
 */
export class Metrics<Table extends MetricTable> implements Meter<Table> {
  readonly #table: Table;
  /** By name, then by labels. */
  readonly #series = new Map<string, Map<string, Series>>();

  constructor(table: Table) {
    this.#table = table;
    for (const [name, { type, labels }] of Object.entries(table))
      if (labels.length === 0 && type !== 'histogram') this.#find(name, {});
  }

  count<Name extends MetricName<Table, 'counter' | 'gauge'>>(
    name: Name,
    labels: MetricLabels<Table, Name>,
    by = 1,
  ): void {
    this.#find(name, labels).value += by;
  }

  /** Sets a gauge. */
  set<Name extends MetricName<Table, 'gauge'>>(
    name: Name,
    labels: MetricLabels<Table, Name>,
    value: number,
  ): void {
    this.#find(name, labels).value = value;
  }

  observe<Name extends MetricName<Table, 'histogram'>>(
    name: Name,
    labels: MetricLabels<Table, Name>,
    seconds: number,
  ): void {
    const series = this.#find(name, labels);
    series.value += seconds;
    series.count += 1;
    for (const [index, bound] of buckets.entries())
      if (seconds <= bound) series.below[index] = (series.below[index] ?? 0) + 1;
  }

  render(): string {
    const lines: string[] = [];
    for (const [name, { help, type }] of Object.entries(this.#table)) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const one of this.#series.get(name)?.values() ?? []) lines.push(...renderSeries(name, type, one));
    }
    return `${lines.join('\n')}\n`;
  }

  #find(name: string, labels: Labels): Series {
    const family = this.#series.get(name) ?? new Map<string, Series>();
    this.#series.set(name, family);
    const key = renderLabels(labels);
    const series = family.get(key) ?? { labels, value: 0, below: buckets.map(() => 0), count: 0 };
    family.set(key, series);
    return series;
  }
}

function renderSeries(name: string, type: MetricDeclaration['type'], series: Series): readonly string[] {
  const { labels, value, below, count } = series;
  if (type !== 'histogram') return [`${name}${renderLabels(labels)} ${value}`];
  return [
    ...buckets.map(
      (bound, index) => `${name}_bucket${renderLabels({ ...labels, le: `${bound}` })} ${below[index]}`,
    ),
    `${name}_bucket${renderLabels({ ...labels, le: '+Inf' })} ${count}`,
    `${name}_sum${renderLabels(labels)} ${value}`,
    `${name}_count${renderLabels(labels)} ${count}`,
  ];
}

function renderLabels(labels: Labels): string {
  const escaped = (text: string) => text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

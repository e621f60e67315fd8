import type { Meter } from '../core/meter.ts';

export type Labels = Readonly<Record<string, string>>;

/** Upper bounds in seconds: from a snapshot that is there to a build that takes hours. */
const buckets: readonly number[] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];

interface Series {
  readonly labels: Labels;
  value: number;
  readonly below: number[];
  count: number;
}

interface Family {
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly series: Map<string, Series>;
}

/**
 * Counters, gauges and histograms as Prometheus reads them (text format 0.0.4). All of them are declared; what is
 * not may not be counted.
 */
export class Metrics implements Meter {
  readonly #families = new Map<string, Family>();

  /** Declares a metric; a counter without labels is there with 0 from the beginning. */
  declare(name: string, type: Family['type'], help: string, startsAtZero = false): void {
    this.#families.set(name, { help, type, series: new Map() });
    if (startsAtZero) this.count(name, {}, 0);
  }

  count(name: string, labels: Labels, by = 1): void {
    this.#series(name, labels).value += by;
  }

  /** Sets a gauge. */
  set(name: string, labels: Labels, value: number): void {
    this.#series(name, labels).value = value;
  }

  observe(name: string, labels: Labels, seconds: number): void {
    const series = this.#series(name, labels);
    series.value += seconds;
    series.count += 1;
    for (const [index, bound] of buckets.entries())
      if (seconds <= bound) series.below[index] = (series.below[index] ?? 0) + 1;
  }

  render(): string {
    const lines: string[] = [];
    for (const [name, { help, type, series }] of this.#families) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const one of series.values()) lines.push(...renderSeries(name, type, one));
    }
    return `${lines.join('\n')}\n`;
  }

  #series(name: string, labels: Labels): Series {
    const family = this.#families.get(name);
    if (family === undefined) throw new Error(`no metric ${name} is declared`);
    const key = renderLabels(labels);
    let series = family.series.get(key);
    if (series === undefined) {
      series = { labels, value: 0, below: buckets.map(() => 0), count: 0 };
      family.series.set(key, series);
    }
    return series;
  }
}

function renderSeries(name: string, type: Family['type'], series: Series): readonly string[] {
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

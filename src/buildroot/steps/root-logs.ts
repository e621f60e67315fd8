import type { LogSink } from '../../core/log-sink.ts';

/** The logs that the steps of a root write, besides those that mock's plugins would. */
export interface RootLogs {
  readonly root: LogSink;
  readonly build: LogSink;
  /** A step begins or ends; becomes `state.log` and `mock_output.log`. */
  step(name: string, at: 'start' | 'finish'): Promise<void>;
  /**
   * How long a step took altogether, how long of that its script ran, where the engine says, and when after its
   * beginning package code wrote its first line.
   */
  took(name: string, stepMs: number, ranMs: number | null, firstOutputMs: number | null): void;
  /** For a viewer; all of it is in root.log, too. */
  progress?(news: RootProgress): void;
}

/** What happens to a root besides steps; `title` says which packages it is about: `@build`. */
export type RootProgress =
  | { readonly kind: 'from-snapshot'; readonly title: string; readonly packages: number }
  /** How far the packages are there; `files` counts those that had to be fetched and are done. */
  | { readonly kind: 'fetching'; readonly title: string; readonly files: number; readonly ofFiles: number };

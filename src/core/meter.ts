/** Where things that happen are counted, for monitoring. Counting never fails. */
export interface Meter {
  /** Adds to a counter. */
  count(name: string, labels: Readonly<Record<string, string>>, by?: number): void;
  /** Adds a duration to a histogram. */
  observe(name: string, labels: Readonly<Record<string, string>>, seconds: number): void;
}

/** Counts nothing. */
export const noMeter: Meter = { count: () => undefined, observe: () => undefined };

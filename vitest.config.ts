import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

/** Time limits are for what hangs, not for machines that are busy. */
const shared = {
  restoreMocks: true,
  unstubEnvs: true,
  environment: 'node',
  testTimeout: 30_000,
  hookTimeout: 60_000,
} as const;

/** Builds on a real engine. Most of such a test is waiting: three at a time leave no processor of two idle. */
const real = {
  ...shared,
  globalSetup: 'test/support/lanes.setup.ts',
  testTimeout: 300_000,
  hookTimeout: 300_000,
  maxWorkers: 3,
  sequence: { groupOrder: 1 },
} as const;

/**
 * They come last, one at a time: their promises are about seconds or how much a build may take, or they fill the disk or stop
 * a service of the engine, which may hold a lock then that all others wait for.
 */
const alone = ['builds', 'cancel', 'chaos', 'full-disk', 'limits', 'parts-fail'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

// No test replaces a module, so those that are quick need not load all of them again for each file (`isolate`).
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts'],
          isolate: false,
        },
      },
      { test: { ...shared, name: 'contract', include: ['test/contract/**/*.test.ts'], isolate: false } },
      {
        test: {
          ...shared,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      { test: { ...real, name: 'podman', include: ['test/podman/**/*.test.ts'] } },
      { test: { ...real, name: 'e2e', include: ['test/e2e/**/*.test.ts'], exclude: alone } },
      {
        test: { ...real, name: 'e2e-alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});

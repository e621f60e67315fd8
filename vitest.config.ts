import { defineConfig } from 'vitest/config';

/** Time limits are for what hangs, not for machines that are busy. */
const shared = {
  restoreMocks: true,
  unstubEnvs: true,
  environment: 'node',
  testTimeout: 30_000,
  hookTimeout: 60_000,
} as const;

// No test replaces a module, so those that are quick need not load all of them again for each file (`isolate`).
export default defineConfig({
  test: {
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
      {
        test: {
          ...shared,
          name: 'podman',
          include: ['test/podman/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...shared,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: 'test/support/lanes.setup.ts',
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

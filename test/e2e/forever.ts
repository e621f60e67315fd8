import { existsSync } from 'node:fs';
import { expect } from 'vitest';
import type { HubClient } from '../../src/devhub/client.ts';
import type { TestBuilder } from './builder.ts';
import { srpm } from './surroundings.ts';

/** How long a build that was told to stop may continue. */
export const stopWithin = { timeout: 10_000, interval: 200 };
/** How long a build may take to get where it never ends. */
export const inTime = { timeout: 200_000, interval: 500 };

/** A build that sleeps and ignores signals. */
export interface Forever {
  readonly client: HubClient;
  /** Ids of the tasks. */
  readonly build: number;
  readonly buildArch: number;
  /** Those of the processes in its container that run still. */
  alive(): readonly number[];
}

/** Submits it and waits until it sleeps. */
export async function startForever(builder: TestBuilder): Promise<Forever> {
  const build = await builder.submit(srpm('forever'));
  const client = await builder.login();
  const findBuildArch = async () => {
    const { children } = await client.taskTree(build);
    return children.find(({ method }) => method === 'buildArch')?.id;
  };
  await expect.poll(findBuildArch, inTime).toBeDefined();
  const buildArch = (await findBuildArch()) ?? 0;
  await expect.poll(async () => (await builder.uploads(buildArch)).includes('build.log'), inTime).toBe(true);
  await expect.poll(() => builder.log(buildArch, 'build.log'), inTime).toContain('going to sleep');
  const [container = ''] = (await builder.podman.containers()).filter((name) => name.includes('-build-'));
  const processes = await builder.podman.processes(container);
  expect(processes.length).toBeGreaterThan(1);
  return { client, build, buildArch, alive: () => processes.filter((pid) => existsSync(`/proc/${pid}`)) };
}

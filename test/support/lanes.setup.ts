import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lanesVariable } from './lane.ts';

/**
 * Before the first file of a run: makes the directory of its lanes, unless it is given, which goes with the run. The
 * commands and daemons that tests start, a few hundred, find there what Node.js has compiled of them.
 */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env[lanesVariable] !== undefined) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'koji-adjutant-lanes-'));
  // Users in containers have ids of their own on this host.
  await chmod(directory, 0o755);
  process.env[lanesVariable] = directory;
  process.env['NODE_COMPILE_CACHE'] ??= join(directory, 'compiled');
  // The last processes may still be writing what they have compiled.
  return () => rm(directory, { recursive: true, maxRetries: 10, retryDelay: 200 });
}

import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rootLabels } from '../../src/container/podman/image-store.ts';
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
  return async () => {
    await removeRoots(directory);
    // The last processes may still be writing what they have compiled.
    await rm(directory, { recursive: true, maxRetries: 10, retryDelay: 200 });
  };
}

/** What was prepared in these lanes would stay in the engine until a daemon starts. */
async function removeRoots(directory: string): Promise<void> {
  const { KOJI_ADJUTANT_TEST_ENGINE_SOCKET: socket } = process.env;
  if (socket === undefined) return;
  const podman = async (...words: readonly string[]) =>
    (await promisify(execFile)('podman', ['--url', `unix://${socket}`, ...words])).stdout;
  const format = `{{.Id}} {{index .Labels "${rootLabels.area}"}}`;
  const images = await podman('images', '--all', '--filter', `label=${rootLabels.key}`, '--format', format);
  const ids = images
    .split('\n')
    .map((line) => line.split(' '))
    .flatMap(([id = '', area]) => (area?.startsWith(`${directory}/`) ? [id] : []));
  if (ids.length > 0) await podman('rmi', '--force', ...new Set(ids));
}

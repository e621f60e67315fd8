import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Names the directory in which the lanes of a run are; made by `lanes.setup.ts` unless the caller has one. */
export const lanesVariable = 'KOJI_ADJUTANT_TEST_LANES';

/** Where a daemon's area below its `workdir` is. */
const stateDirectory = 'work/adjutant';
/** What one test file leaves to the next: roots and packages by their content, and what was read of repos. */
const kept: readonly string[] = ['metadata', 'packages', 'snapshots', 'solutions'];

/** The directory of this worker's lane, in which test files that run one after the other find the same paths. */
export async function laneDirectory(): Promise<string> {
  const { [lanesVariable]: lanes, VITEST_POOL_ID: lane } = process.env;
  if (lanes === undefined || lane === undefined)
    throw new Error(`${lanesVariable} or VITEST_POOL_ID is not set`);
  const directory = join(lanes, `lane-${lane}`);
  await mkdir(directory, { recursive: true });
  return directory;
}

/** A directory for a daemon, or for what makes buildroots as one does. */
export interface LaneArea extends AsyncDisposable {
  readonly path: string;
  /** Where its caches are below `cache/`: what `adjutant_state_dir` says. */
  readonly stateDirectory: string;
}

const taken = new Set<string>();

/**
 * An area with nothing in it but the caches that earlier files of this lane have filled: the path of an area is part of
 * the names of its snapshots. Processes that a file has left there by its crash are killed. One that is taken already gets
 * a neighbour; a cold one is new. What is left in it goes when it is disposed.
 */
export async function takeArea({ cold = false } = {}): Promise<LaneArea> {
  if (cold) {
    const path = await mkdtemp(join(tmpdir(), 'koji-adjutant-e2e-'));
    const dispose = () => rm(path, { recursive: true });
    return { path, stateDirectory: join(path, stateDirectory), [Symbol.asyncDispose]: dispose };
  }
  const lane = await laneDirectory();
  let path = join(lane, 'area-1');
  for (let number = 2; taken.has(path); number += 1) path = join(lane, `area-${number}`);
  taken.add(path);
  await killUsersOf(path);
  await emptyArea(path);
  await mkdir(path, { recursive: true });
  return {
    path,
    stateDirectory: join(path, stateDirectory),
    async [Symbol.asyncDispose]() {
      await emptyArea(path);
      taken.delete(path);
    },
  };
}

/** Removes everything but the caches that are kept. */
async function emptyArea(path: string): Promise<void> {
  const places = [...stateDirectory.split('/'), 'cache'];
  let place = path;
  for (const next of [...places, null]) {
    const stays = next === null ? kept : [next];
    // A process that was killed may still be on its way out.
    for (const name of await readdir(place).catch(() => []))
      if (!stays.includes(name))
        await rm(join(place, name), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    place = join(place, next ?? '');
  }
}

/** Kills the processes on whose command line the area is: daemons, and monitors of containers. */
async function killUsersOf(path: string): Promise<void> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // A process may end between the listing and the reading.
    const words = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (words.includes(`${path}/`)) kill(Number(name));
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

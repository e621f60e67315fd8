import { mkdir, readdir, realpath, rm } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { BuildrootHost } from '../buildroot/host.ts';
import { trimCache } from '../cache/eviction.ts';
import type { Config } from '../config/schema.ts';
import { reapOrphans } from '../container/reaper.ts';
import type { StepRuntime } from '../container/step-runtime.ts';
import { systemClock } from '../core/clock.ts';
import { BuilderError, describeError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { never } from '../core/never.ts';
import { ProcessRegistry, type RegisteredProcess } from '../core/process-registry.ts';
import { Waits } from '../core/waits.ts';
import { buildrootHost, cacheBudget } from './buildroot-services.ts';
import { reachEngine } from './container-engine.ts';
import { openStateDirectory, workPlaces } from './state-directory.ts';

const clock = systemClock;

/** In seconds, of what is kept until it is removed by hand. */
const longest = Number.MAX_SAFE_INTEGER / 1000;

/** Where builds without a daemon keep what they can use again: `--cache-dir`, else `$XDG_CACHE_HOME/koji-adjutant`. */
export function cacheDirectory(chosen: string | undefined, env: NodeJS.ProcessEnv): string {
  if (chosen !== undefined) return resolve(chosen);
  const xdg = env['XDG_CACHE_HOME'] ?? '';
  return join(xdg === '' ? join(env['HOME'] ?? homedir(), '.cache') : xdg, 'koji-adjutant');
}

/** The area that all builds of a user without a daemon share: their cache, and what each works with. */
export interface LocalArea extends AsyncDisposable {
  /** Its containers are marked as this process's own. */
  readonly host: BuildrootHost;
  /** The area, and a number for the names of containers. */
  readonly directory: string;
  readonly id: number;
  /** Makes an empty directory for one build, named by numbers alone; it goes with the area's disposal. */
  openWork(): Promise<{ readonly absolute: string; readonly work: string }>;
}

export interface LocalAreaOptions {
  /** The command, for the names by which its containers are found: `rebuild`. */
  readonly name: string;
  readonly directory: string;
  readonly config: Config;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  /** Where it is recorded what is waited for; left out: not recorded. */
  readonly waits?: Waits;
  /** Keep the root of a build that fails until the area is closed. */
  readonly keepFailed?: boolean;
}

/**
 * Opens the area and reaches the engine. Several processes may use an area at the same time; what one that was killed
 * has left is removed here. Disposing waits for snapshots that are still being made, and keeps the cache within its
 * budget. Rejects with a `BuilderError` when this host cannot be used.
 */
export async function openLocalArea(
  {
    name,
    directory: chosen,
    config: given,
    env,
    log,
    waits = new Waits(clock),
    keepFailed = false,
  }: LocalAreaOptions,
  signal: AbortSignal,
): Promise<LocalArea> {
  const directory = await makeArea(chosen);
  const config = {
    ...given,
    kojid: { ...given.kojid, failed_buildroot_lifetime: keepFailed ? longest : 0 },
    adjutant: { ...given.adjutant, state_dir: directory },
  };
  const users = new ProcessRegistry(join(directory, 'users'));
  const me = await users.enter(`${name}-${hostname()}-${process.pid}`);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => users.leave(me));
  const backend = await reachEngine(config, workPlaces(config), env, clock, log, signal, waits.of(null));
  const { workerId } = me;
  const host = await buildrootHost(config, { backend, clock, workerId, workDir: directory, log, waits });
  const { dead, living } = await users.others();
  for (const user of dead) await clearAfter(user, users, backend.runtime, directory, log, signal);
  // What another process is just making would look like an orphan.
  if (living.length === 0) {
    await host.cache.snapshots.sweep(signal);
    for (const root of await host.cache.failed.list()) await host.cache.failed.remove(root);
  }
  // From here on it leaves as others would clear after it: what cannot be removed now the next one tries again.
  undo.move();
  const made = new AsyncDisposableStack();
  made.defer(() => clearAfter(me, users, backend.runtime, directory, log, never));
  made.defer(() => tidy(config, host, users, log));
  let works = 0;
  return {
    host,
    directory,
    id: me.pid,
    async openWork() {
      works += 1;
      const work = `tasks/${me.pid}-${works}`;
      const absolute = join(directory, work);
      await rm(absolute, { recursive: true, force: true });
      await mkdir(absolute, { recursive: true });
      return { absolute, work };
    },
    [Symbol.asyncDispose]: () => made.disposeAsync(),
  };
}

async function makeArea(directory: string): Promise<string> {
  try {
    await openStateDirectory(directory, ['tasks', 'containers']);
    return await realpath(directory);
  } catch (error) {
    if (error instanceof BuilderError) throw error;
    const remedy = 'choose another with --cache-dir, or let this user write there';
    throw new BuilderError('workdir-unusable', 'builder', `cannot make ${directory}: ${remedy}`, {
      cause: error,
    });
  }
}

async function clearAfter(
  user: RegisteredProcess,
  users: ProcessRegistry,
  runtime: StepRuntime,
  directory: string,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { failed } = await reapOrphans(runtime, user.workerId, () => false, log, signal);
  // The next start tries again.
  if (failed.length > 0) return;
  await removeWork(directory, user);
  await users.leave(user);
}

async function removeWork(directory: string, { pid }: RegisteredProcess): Promise<void> {
  const tasks = join(directory, 'tasks');
  for (const name of await readdir(tasks))
    if (name.startsWith(`${pid}-`)) await rm(join(tasks, name), { recursive: true, force: true });
}

/** What was built is built: a cache that is too large is a matter for the next one, and told in the log. */
async function tidy(
  config: Config,
  { cache, removals }: BuildrootHost,
  users: ProcessRegistry,
  log: Logger,
): Promise<void> {
  await cache.failed.idle();
  await removals.idle();
  const { living } = await users.others();
  if (living.length > 0) return;
  try {
    await trimCache(cache, await cacheBudget(config), never);
  } catch (error) {
    log.warn({ err: error }, `trimming the cache failed: ${describeError(error)}`);
  }
}

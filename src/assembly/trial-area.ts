import { access, constants, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Config } from '../config/schema.ts';
import { createLogger } from '../core/logger.ts';
import { never } from '../core/never.ts';
import { ProcessRegistry } from '../core/process-registry.ts';
import type { TrialArea } from '../doctor/trial-build/run-trial-build.ts';
import { openLocalArea } from './local-state.ts';

/**
 * Opens the place of doctor's trial build: beside the directories of tasks, where the daemon would work, or in the
 * directory for temporary files where this user may not write there. Nothing that is made in it outlives `close`.
 */
export async function openTrialArea(
  config: Config,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<TrialArea> {
  const { directory: chosen, made } = await makePlace(config.adjutant.state_dir);
  const warnings: string[] = [];
  const log = createLogger('warn', { write: (line) => void warnings.push(describeLine(line)) });
  try {
    const area = await openLocalArea(
      {
        name: 'doctor',
        directory: chosen,
        // So that closing it keeps nothing.
        config: { ...config, adjutant: { ...config.adjutant, snapshot_budget: 0, package_budget: 0 } },
        env,
        log,
      },
      signal,
    );
    const { host, directory } = area;
    return {
      host,
      directory,
      id: area.id,
      openWork: () => area.openWork(),
      warnings: () => warnings,
      log,
      async close() {
        await area[Symbol.asyncDispose]();
        // Another doctor's is its own.
        if ((await new ProcessRegistry(join(directory, 'users')).others()).living.length === 0)
          await rm(made, { recursive: true, force: true });
        const containers = await host.runtime.list(host.workerId, never);
        const roots = await host.roots.list(never);
        return {
          containers: containers.map(({ name }) => name),
          images: roots
            .filter(({ name }) => name.area === join(directory, 'cache/snapshots'))
            .map(({ root }) => root.id),
          files: (await readdir(made).catch(() => [])).map((name) => join(made, name)),
        };
      },
    };
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw error;
  }
}

/** `made`: what has to be removed afterwards, a directory above it where that was not there either. */
async function makePlace(
  stateDirectory: string,
): Promise<{ readonly directory: string; readonly made: string }> {
  const directory = join(stateDirectory, 'doctor');
  try {
    const made = (await mkdir(directory, { recursive: true })) ?? directory;
    await access(directory, constants.W_OK | constants.X_OK);
    return { directory, made };
  } catch {
    // The finding about the work directory says so.
    const temporary = await mkdtemp(join(tmpdir(), 'koji-adjutant-doctor-'));
    return { directory: temporary, made: temporary };
  }
}

const LogLine = z.object({ msg: z.string(), err: z.unknown().optional() });

function describeLine(line: string): string {
  const { msg, err } = LogLine.parse(JSON.parse(line));
  return typeof err === 'string' ? `${msg}: ${err}` : msg;
}

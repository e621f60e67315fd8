import type { z } from 'zod';
import type { Clock } from '../../../core/clock.ts';
import { ContainerError } from '../../errors.ts';
import { type Engine, libpod } from './client.ts';
import { type ContainerState, type GraphDriver, InspectedContainer } from './schema.ts';

const pauseMs = 15;
/** Looks that may fail in a row before it is an error. */
const mostLooks = 5;
/** How long the clean-up after a container's end is waited for. It takes a tenth of a second, unless it was killed. */
const cleanUpMs = 10_000;

/** What podman knows of a container, by id or name. Outlives a restart of the engine's service. */
export async function inspectContainer(
  engine: Engine,
  clock: Clock,
  container: string,
  signal?: AbortSignal,
): Promise<InspectedContainer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await engine.call(InspectedContainer, {
        what: `look at container ${container}`,
        method: 'GET',
        path: `${libpod}/containers/${container}/json`,
        ok: [200],
        repeatable: true,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      // Podman reads the main process's /proc for this, and fails when that has just ended.
      const isRace = error instanceof ContainerError && error.code === 'engine-failed';
      if (!isRace || attempt === mostLooks) throw error;
      await clock.sleep(pauseMs, signal);
    }
  }
}

/**
 * The state of a container once podman has cleaned up after its end. Before that its root is still
 * mounted by the run, and its reader then finds it empty when the clean-up unmounts it.
 */
export async function settledState(
  engine: Engine,
  clock: Clock,
  container: string,
  signal: AbortSignal,
): Promise<ContainerState> {
  const since = clock.uptime();
  for (;;) {
    const { State } = await inspectContainer(engine, clock, container, signal);
    if (State.Status !== 'stopped' || clock.uptime() - since >= cleanUpMs) return State;
    await clock.sleep(pauseMs, signal);
  }
}

/** Where the engine keeps what a container or an image adds to the layers below. */
export function upperDir(driver: z.infer<typeof GraphDriver>, of: string): string {
  const path = driver?.Data?.['UpperDir'];
  if (path !== undefined) return path;
  throw new ContainerError(
    'engine-failed',
    `the engine names no layer of ${of}: its storage driver is ${driver?.Name ?? 'unknown'}; choose overlay`,
  );
}

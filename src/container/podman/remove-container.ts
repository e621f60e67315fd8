import type { Clock } from '../../core/clock.ts';
import { ContainerError } from '../errors.ts';
import type { ContainerId } from '../spec.ts';
import { type Engine, libpod, lockedStoreMs } from './api/client.ts';
import { endOrphan } from './conmon-cleanup.ts';

/** How often the engine is asked to remove a container that it has taken for running until then. */
const mostRemovals = 3;
const pauseMs = 200;

/** Kills and removes a container, with every process in it; fine when there is none. */
export async function removeContainer(engine: Engine, id: ContainerId, clock: Clock): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await engine.text({
        what: `remove container ${id}`,
        method: 'DELETE',
        path: `${libpod}/containers/${id}`,
        query: { force: 'true', v: 'true', timeout: '0' },
        ok: [200, 204, 404],
        repeatable: true,
        timeoutMs: lockedStoreMs,
      });
      break;
    } catch (error) {
      // Where its monitor was killed, podman notices the end by its own attempt to stop it, and fails then.
      const isNoticed =
        error instanceof ContainerError &&
        /container state improper|no exit file|conmon exited prematurely/.test(error.message);
      if (!isNoticed || tries === mostRemovals) throw error;
      await clock.sleep(pauseMs);
    }
  }
  await endOrphan(id, clock);
}

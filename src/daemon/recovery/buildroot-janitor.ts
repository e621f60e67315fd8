import type { Logger } from '../../core/logger.ts';
import type { BuildrootsApi } from '../../hub/api/buildroots.ts';

/**
 * Expires buildroots the hub still has as ours although their task does not run here: what a killed daemon
 * leaves (`koji/daemon.py updateBuildroots`). Returns their ids.
 */
export async function expireDeadBuildroots(
  buildroots: BuildrootsApi,
  hostId: number,
  isRunning: (taskId: number) => boolean,
  log: Logger,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const alive = await buildroots.listBuildroots({ hostId, states: ['init', 'waiting', 'building'] }, signal);
  const dead = alive.filter(({ taskId }) => taskId === null || !isRunning(taskId)).map(({ id }) => id);
  for (const id of dead) {
    log.warn({ buildrootId: id }, 'expiring a buildroot whose task does not run here');
    await buildroots.setBuildRootState(id, 'expired', signal);
  }
  return dead;
}

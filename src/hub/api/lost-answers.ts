import { isRetryFault } from '../faults.ts';
import type { HubSession } from '../session/session.ts';
import { RpcDouble } from '../xmlrpc/codec.ts';
import { Ignored, TaskInfo } from './schema.ts';

/**
 * The look-up of calls without an answer whose effect is the same however often they run: that the hub
 * says "carried out before" is all there is to know. Any other reason is thrown.
 */
export async function doneBefore(reason: Error): Promise<undefined> {
  if (!isRetryFault(reason)) throw reason;
}

/**
 * Waits until no other request is at work on a task: `host.setTaskWeight` needs the lock of the task's row,
 * which `completeBuild` and others hold until they are through. The weight stays as it is. Throws HubFault
 * 1004 when the task is not this host's.
 */
export async function waitForTaskLock(
  session: HubSession,
  taskId: number,
  signal?: AbortSignal,
): Promise<void> {
  const task = await session.call('getTaskInfo', [taskId], TaskInfo, { signal, keywords: { strict: true } });
  await session.call('host.setTaskWeight', [taskId, new RpcDouble(task.weight)], Ignored, {
    signal,
    retryError: doneBefore,
  });
}

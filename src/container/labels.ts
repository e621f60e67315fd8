import { z } from 'zod';
import type { Owner } from './spec.ts';

const names = {
  workerId: 'io.koji.adjutant.worker_id',
  taskId: 'io.koji.adjutant.task_id',
  phase: 'io.koji.adjutant.phase',
  attempt: 'io.koji.adjutant.attempt',
  buildrootId: 'io.koji.adjutant.buildroot_id',
} as const;

/** The label by which a worker's containers are found. */
export const workerLabel = names.workerId;

const OwnerLabels = z
  .object({
    [names.workerId]: z.string().min(1),
    [names.taskId]: z.coerce.number().int(),
    [names.phase]: z.string(),
    [names.attempt]: z.coerce.number().int(),
    [names.buildrootId]: z.coerce.number().int().optional(),
  })
  .transform((labels): Owner => {
    const buildrootId = labels[names.buildrootId];
    return {
      workerId: labels[names.workerId],
      taskId: labels[names.taskId],
      phase: labels[names.phase],
      attempt: labels[names.attempt],
      ...(buildrootId === undefined ? {} : { buildrootId }),
    };
  });

/** Labels that say whose a container is. */
export function toLabels(owner: Owner): Record<string, string> {
  return {
    [names.workerId]: owner.workerId,
    [names.taskId]: String(owner.taskId),
    [names.phase]: owner.phase,
    [names.attempt]: String(owner.attempt),
    ...(owner.buildrootId === undefined ? {} : { [names.buildrootId]: String(owner.buildrootId) }),
  };
}

/** The owner that labels speak of; undefined when they are not ours, or not complete. */
export function parseLabels(labels: Readonly<Record<string, string>>): Owner | undefined {
  return OwnerLabels.safeParse(labels).data;
}

import { z } from 'zod';
import { taskStates } from './schema.ts';

const ReadyHost = z
  .object({
    id: z.int(),
    arches: z.string().nullable(),
    capacity: z.number(),
    task_load: z.number(),
    channels: z.array(z.int()),
  })
  .transform((row) => ({
    id: row.id,
    arches: (row.arches ?? '').split(' ').filter((arch) => arch !== ''),
    /** What it has left of its capacity; below zero when it has more than that. */
    available: row.capacity - row.task_load,
    channels: row.channels,
  }));

const WaitingTask = z
  .object({
    id: z.int(),
    state: z.literal([taskStates.free, taskStates.assigned]),
    host_id: z.int().nullable(),
    method: z.string(),
    arch: z.string(),
    channel_id: z.int().nullable(),
  })
  .transform((row) => ({
    id: row.id,
    method: row.method,
    arch: row.arch,
    channelId: row.channel_id,
    /** The host an administrator has given it to; null while it is FREE. */
    assignedTo: row.state === taskStates.assigned ? row.host_id : null,
  }));

/**
 * What `host.getLoadData` answers on hubs before 1.34: all hosts that are ready, and the tasks this host could
 * take, the most urgent first, 100 at most. Both empty when this host is not ready itself.
 */
export const LoadData = z
  .tuple([z.array(ReadyHost), z.array(WaitingTask)])
  .transform(([hosts, tasks]) => ({ hosts, tasks }));
export type LoadData = z.infer<typeof LoadData>;

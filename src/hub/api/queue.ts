import { z } from 'zod';
import type { HubSession } from '../session/session.ts';
import { QueuedTask, taskStates } from './schema.ts';

/** How many tasks of the queue are looked at; those that come after them are not seen. */
export const queueLimit = 100;

/** What waits on the hub for hosts, and for this one in particular. Reads only. */
export class QueueApi {
  readonly #session: HubSession;

  constructor(session: HubSession) {
    this.#session = session;
  }

  /** `listChannels`: ids of the enabled channels that a host is in. */
  async channelsOf(hostId: number, signal?: AbortSignal): Promise<readonly number[]> {
    const rows = await this.#session.call('listChannels', [], z.array(z.object({ id: z.int() })), {
      signal,
      keywords: { hostID: hostId, enabled: true },
    });
    return rows.map(({ id }) => id);
  }

  /**
   * `listTasks`: tasks of these channels and arches that no host has opened, FREE and ASSIGNED, in the order in which
   * the scheduler takes them, {@link queueLimit} at most.
   */
  async waiting(
    { channels, arches }: { readonly channels: readonly number[]; readonly arches: readonly string[] },
    signal?: AbortSignal,
  ): Promise<readonly QueuedTask[]> {
    if (channels.length === 0) return [];
    const { free, assigned } = taskStates;
    const wanted = { state: [free, assigned], channel_id: channels, arch: arches };
    const order = { order: 'priority,create_time,id', limit: queueLimit };
    return this.#session.call('listTasks', [wanted, order], z.array(QueuedTask), { signal });
  }

  /** `scheduler.getTaskRefusals`: ids of the tasks that a host has refused, or was refused for. Hubs from 1.34 on. */
  async refusedBy(hostId: number, signal?: AbortSignal): Promise<ReadonlySet<number>> {
    const rows = await this.#session.call(
      'scheduler.getTaskRefusals',
      [[['host_id', '=', hostId]], ['task_id']],
      z.array(z.object({ task_id: z.int() })),
      { signal },
    );
    return new Set(rows.map(({ task_id }) => task_id));
  }
}

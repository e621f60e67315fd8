import { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { type MethodTable, method } from './call.ts';
import { generic } from './faults.ts';
import { toTaskInfo } from './tasks.ts';

const Ids = z.array(z.int());

/** What waits for hosts; everything here only reads. */
export const queueMethods: MethodTable = {
  listChannels: method(
    { hostID: z.union([z.int(), z.string()]).nullish(), enabled: z.boolean().nullish() },
    (call, { hostID, enabled }) => {
      const { channels, hosts } = call.hub.state.tables;
      const host = hostID == null ? null : hosts.find(({ id, name }) => id === hostID || name === hostID);
      if (host === undefined) {
        if (typeof hostID === 'string') throw generic(`Invalid type for hostInfo: ${hostID}`);
        return [];
      }
      // No channel of the development hub can be disabled.
      if (enabled === false) return [];
      return channels
        .filter(({ id }) => host === null || host.channels.includes(id))
        .map(({ id, name }): RpcValue => ({ id, name, description: null, enabled: true, comment: null }));
    },
  ),
  listTasks: method(
    {
      opts: z.strictObject({ state: Ids, channel_id: Ids, arch: z.array(z.string()) }),
      queryOpts: z.strictObject({ order: z.literal('priority,create_time,id'), limit: z.int() }),
    },
    (call, { opts, queryOpts }) =>
      call.hub.state.tables.tasks
        .filter(({ state }) => opts.state.includes(state))
        .filter(({ channel_id, arch }) => opts.channel_id.includes(channel_id) && opts.arch.includes(arch))
        .sort((a, b) => a.priority - b.priority || a.create_time - b.create_time || a.id - b.id)
        .slice(0, queryOpts.limit)
        .map((task): RpcValue => ({ ...toTaskInfo(task), request: task.request, result: task.result })),
  ),
  'scheduler.getTaskRefusals': method(
    {
      clauses: z.tuple([z.tuple([z.literal('host_id'), z.literal('='), z.int()])]),
      fields: z.tuple([z.literal('task_id')]),
    },
    (call, { clauses: [[, , hostId]] }) =>
      call.hub.state.tables.refusals
        .filter((row) => row.host_id === hostId)
        .map(({ task_id }): RpcValue => ({ task_id })),
  ),
};

import { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { double, type MethodTable, method, parameterError } from './call.ts';
import { generic } from './faults.ts';
import type { HostRow } from './rows.ts';
import { assertHost } from './sessions.ts';

/** What a host says about itself for the scheduler; only `maxjobs` is used. */
const HostData = z.looseObject({ maxjobs: z.int().optional() });

/** A host as every method shows it. */
export function toHostInfo(host: HostRow): RpcValue {
  return {
    id: host.id,
    user_id: host.user_id,
    name: host.name,
    update_ts: double(host.update_time),
    ready: host.ready,
    task_load: double(host.task_load),
    arches: host.arches,
    capacity: double(host.capacity),
    description: null,
    comment: null,
    enabled: host.enabled,
  };
}

/** Hosts, and what a builder asks and says about itself. */
export const hostMethods: MethodTable = {
  listHosts: method(
    {
      arches: z.union([z.string(), z.array(z.string())]).nullish(),
      channelID: z.union([z.int(), z.string()]).nullish(),
      enabled: z.boolean().nullish(),
      userID: z.union([z.int(), z.string()]).nullish(),
    },
    (call, { arches = null, channelID = null, enabled = null, userID = null }) => {
      const { hosts, channels, users } = call.hub.state.tables;
      const channel =
        channelID === null ? null : channels.find(({ id, name }) => [id, name].includes(channelID));
      if (channel === undefined) throw generic(`No such channel: ${channelID}`);
      const user = userID === null ? null : users.find(({ id, name }) => [id, name].includes(userID));
      if (user === undefined) throw generic(`No such user: ${userID}`);
      const wanted = arches === null ? null : [arches].flat();
      return hosts
        .filter((host) => channel === null || host.channels.includes(channel.id))
        .filter((host) => wanted === null || host.arches.split(' ').some((arch) => wanted.includes(arch)))
        .filter((host) => enabled === null || host.enabled === enabled)
        .filter((host) => user === null || host.user_id === user.id)
        .map(toHostInfo);
    },
  ),
  'host.getID': method({}, (call) => assertHost(call).id),
  'host.getHost': method({}, (call) => toHostInfo(assertHost(call))),
  'host.updateHost': method(
    { task_load: z.number(), ready: z.boolean(), data: z.unknown().optional() },
    (call, { task_load, ready, data }) => {
      const host = assertHost(call);
      const { hosts } = call.hub.state.tables;
      hosts.update(host.id, { task_load, ready, update_time: call.now });
      if (data !== undefined && data !== null) {
        const parsed = HostData.safeParse(data);
        if (!parsed.success) throw parameterError('Host data should be a dictionary');
        hosts.update(host.id, { maxjobs: parsed.data.maxjobs ?? null });
      }
      return null;
    },
  ),
};

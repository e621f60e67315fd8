import { z } from 'zod';
import { type Call, type MethodTable, method } from './call.ts';
import { notAllowed } from './faults.ts';
import { assertHost } from './sessions.ts';

/** Refuses (1004) what a policy denies. The hub's policies allow, apart from those its settings name. */
export function assertPolicy(call: Call, name: string): void {
  const reason = call.hub.settings.denyingPolicies[name];
  if (reason !== undefined) throw notAllowed(`policy violation (${name}): ${reason}`);
}

export const policyMethods: MethodTable = {
  'host.assertPolicy': method(
    { name: z.string(), data: z.record(z.string(), z.unknown()), default: z.string().optional() },
    (call, { name }) => {
      assertHost(call);
      assertPolicy(call, name);
      return null;
    },
  ),
};

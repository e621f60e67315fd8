import { z } from 'zod';
import { HubProtocolError } from '../faults.ts';
import type { RpcValue } from '../xmlrpc/codec.ts';
import type { SessionState } from './session.ts';

/** What `login`, `sslLogin` and `subsession` answer. */
export const SessionInfo = z.object({
  'session-id': z.int(),
  'session-key': z.string(),
  'header-auth': z.boolean().optional(),
});

/** The state of a session that has made no call yet. */
export function toState(info: z.infer<typeof SessionInfo>, master: number | null): SessionState {
  return {
    id: info['session-id'],
    key: info['session-key'],
    callnum: 0,
    master,
    exclusive: false,
    headerAuth: info['header-auth'] === true,
  };
}

/** Checks an answer of the hub; throws HubProtocolError, which names the method and the place. */
export function parseAnswer<T>(method: string, schema: z.ZodType<T>, value: RpcValue): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    (issue) => `${issue.path.join('.') || 'the value'}: ${issue.message}`,
  );
  throw new HubProtocolError(
    `the hub's answer to ${method} has another shape than expected: ${issues.slice(0, 5).join('; ')}`,
  );
}

import type { z } from 'zod';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { faultCode, TaskFault } from './errors.ts';

/** The result of one child, which another builder may have run. Throws a `TaskFault` that names it when it has another shape. */
export function childResult<T>(schema: z.ZodType<T>, results: ReadonlyMap<number, RpcValue>, id: number): T {
  const parsed = schema.safeParse(results.get(id));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const problem = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
  throw new TaskFault(
    faultCode.generic,
    'external',
    `task ${id} has ended with another result than its parent needs: ${problem}`,
  );
}

import { BuilderError } from '../../core/errors.ts';
import type { OpenTask } from '../../hub/api/schema.ts';
import type { TaskAdapter } from '../../tasks/adapter.ts';
import { decodeParams } from '../../tasks/params.ts';

/** A task that is OPEN on the hub as ours and is about to run. */
export interface TakenTask {
  readonly task: OpenTask;
  readonly adapter: TaskAdapter;
  /** Decoded by the adapter's signature, or the error of that. */
  readonly params: { readonly value: unknown } | { readonly error: Error };
}

/** The parameters of a task's request, or what is wrong with them: then the task is opened all the same, and fails. */
export function decodeRequest(
  adapter: TaskAdapter,
  method: string,
  request: OpenTask['request'],
): TakenTask['params'] {
  try {
    return { value: decodeParams(method, adapter.signature, request) };
  } catch (error) {
    if (error instanceof BuilderError) return { error };
    throw error;
  }
}

import type { OpenTask } from '../../hub/api/schema.ts';
import type { TaskAdapter } from '../../tasks/adapter.ts';
import type { DecodedParams } from '../../tasks/params.ts';

/** A task that is OPEN on the hub as ours and is about to run. */
export interface TakenTask {
  readonly task: OpenTask;
  readonly adapter: TaskAdapter;
  readonly params: DecodedParams;
}

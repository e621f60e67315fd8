import { HubFileError } from '../hub/files.ts';
import type { TaskContext } from './adapter.ts';
import { faultCode, TaskFault } from './errors.ts';

/** Brings a source package from the hub's `work/` to `target`; one that is not there fails the task with `complaint`. */
export async function fetchSource(
  { files, signal }: TaskContext,
  path: string,
  target: string,
  complaint: string,
): Promise<void> {
  try {
    await files.download(`work/${path}`, target, signal);
  } catch (error) {
    if (error instanceof HubFileError && error.missing) {
      throw new TaskFault(faultCode.build, 'request', `${complaint}: work/${path}`, { cause: error });
    }
    throw error;
  }
}

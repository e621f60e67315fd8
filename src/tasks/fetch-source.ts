import { createReadStream } from 'node:fs';
import { basename, join } from 'node:path';
import { HubFileError } from '../hub/files.ts';
import { BadRpm } from '../rpm/errors.ts';
import { parseRpmHeader, type RpmHeader } from '../rpm/header.ts';
import type { TaskContext } from './adapter.ts';
import { faultCode, TaskFault } from './errors.ts';

/** A source package on this host. */
export interface FetchedSource {
  readonly path: string;
  readonly header: RpmHeader;
}

/**
 * Brings a source package from the hub's `work/` into the task's directory. One that is not there fails the task with
 * `complaint`, and so does a file that is none, under the name that the hub has for it.
 */
export async function fetchSource(
  { files, directory, signal }: TaskContext,
  path: string,
  complaint: string,
): Promise<FetchedSource> {
  const local = join(directory.absolute, 'source.src.rpm');
  try {
    await files.download(`work/${path}`, local, signal);
    const header = await parseRpmHeader(createReadStream(local, { signal }));
    if (!header.isSource) throw new TaskFault(faultCode.build, 'request', 'not a source package');
    return { path: local, header };
  } catch (error) {
    if (error instanceof HubFileError && error.missing) {
      throw new TaskFault(faultCode.build, 'request', `${complaint}: work/${path}`, { cause: error });
    }
    if (error instanceof BadRpm) throw new BadRpm(`${basename(path)}: ${error.message}`, { cause: error });
    throw error;
  }
}

import { basename, join } from 'node:path';
import { faultCodes } from '../core/koji-faults.ts';
import { HubFileError } from '../hub/files.ts';
import { BadRpm } from '../rpm/errors.ts';
import type { PackageFacts } from '../rpm/package-facts.ts';
import { readPackageFacts } from '../rpm/package-reader.ts';
import type { TaskContext } from './adapter.ts';
import { TaskFault } from './errors.ts';

/** A source package on this host. */
export interface FetchedSource {
  readonly path: string;
  readonly header: PackageFacts;
}

/**
 * Brings a source package from the hub's `work/` into the task's directory. One that is not there fails the task with
 * `complaint`; one that is no package fails it with kojid's fault for that, which names it as the hub does
 * (`koji/__init__.py downloadFile`).
 */
export async function fetchSource(
  { files, directory, signal }: TaskContext,
  path: string,
  complaint: string,
): Promise<FetchedSource> {
  const local = join(directory.absolute, 'source.src.rpm');
  try {
    await files.download(`work/${path}`, local, signal);
    const header = await readPackageFacts(local, signal, { nameless: true });
    if (!header.isSource) throw new TaskFault(faultCodes.build, 'request', 'not a source package');
    return { path: local, header };
  } catch (error) {
    if (error instanceof HubFileError && error.missing) {
      throw new TaskFault(faultCodes.build, 'request', `${complaint}: work/${path}`, { cause: error });
    }
    if (error instanceof BadRpm) {
      const message = `Downloaded rpm ${basename(path)} is corrupted: ${error.message}`;
      throw new TaskFault(faultCodes.generic, 'package', message, { cause: error });
    }
    throw error;
  }
}

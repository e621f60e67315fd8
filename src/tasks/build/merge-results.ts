import { z } from 'zod';
import { faultCodes } from '../../core/koji-faults.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { TaskFault } from '../errors.ts';
import { childResult } from '../subtasks.ts';

const BuildArchResult = z.looseObject({
  rpms: z.array(z.string()),
  srpms: z.array(z.string()),
  logs: z.array(z.string()),
  brootid: z.int(),
});

export interface MergedResults {
  readonly srpm: string;
  readonly rpms: readonly string[];
  /** Buildroot id by file, of every RPM and of the SRPM. */
  readonly buildroots: ReadonlyMap<string, number>;
  /** Logs by arch. */
  readonly logs: ReadonlyMap<string, readonly string[]>;
}

/**
 * Puts the results of the buildArch children, `children` by arch, into the form the hub imports
 * (`builder/kojid runBuilds`). Throws a `TaskFault` unless exactly one of them made the source package.
 */
export function mergeResults(
  children: ReadonlyMap<string, number>,
  results: ReadonlyMap<number, RpcValue>,
  taskId: number,
): MergedResults {
  const rpms: string[] = [];
  const srpms: string[] = [];
  const buildroots = new Map<string, number>();
  const logs = new Map<string, readonly string[]>();
  for (const [arch, child] of children) {
    const result = childResult(BuildArchResult, results, child);
    for (const file of [...result.rpms, ...result.srpms.slice(0, 1)]) buildroots.set(file, result.brootid);
    rpms.push(...result.rpms);
    srpms.push(...result.srpms.slice(0, 1));
    if (result.logs.length > 0) logs.set(arch, result.logs);
  }
  const [srpm, ...others] = srpms;
  if (srpm === undefined) throw new TaskFault(faultCodes.build, 'package', 'could not find a built srpm');
  if (others.length > 0) {
    throw new TaskFault(faultCodes.build, 'package', `multiple builds returned a srpm.  task ${taskId}`);
  }
  return { srpm, rpms, buildroots, logs };
}

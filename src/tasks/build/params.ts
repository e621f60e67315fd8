import { z } from 'zod';
import { faultCodes } from '../../core/koji-faults.ts';
import { isStruct, type RpcValue } from '../../hub/xmlrpc/codec.ts';
import { TaskFault } from '../errors.ts';
import { flag, optional } from '../params.ts';

/** What `koji build` can ask for; options this builder has no use for are let through, as kojid does. */
export const BuildOptions = z.looseObject({
  scratch: optional(flag),
  skip_tag: optional(flag),
  draft: optional(flag),
  repo_id: optional(z.int()),
  arch_override: optional(z.string()),
  fail_fast: optional(flag),
  rebuild_srpm: optional(flag),
  wait_repo: optional(flag),
  wait_builds: optional(z.array(z.string())),
  custom_user_metadata: optional(z.custom<RpcValue>(() => true)),
});
export type BuildOptions = z.infer<typeof BuildOptions>;

export const BuildParams = z.object({
  src: z.string(),
  target: z.string().nullable(),
  opts: optional(BuildOptions),
});

/** Options that exclude each other or are of the wrong kind. Throws a `TaskFault` with kojid's words. */
export function checkOptions(options: BuildOptions): void {
  if (options.arch_override && !options.scratch) {
    throw buildError('arch_override is only allowed for scratch builds');
  }
  const metadata = options.custom_user_metadata;
  if (metadata !== null && !isStruct(metadata)) {
    throw buildError('custom_user_metadata must be serializable to a JSON object');
  }
}

/** Whether the source lies in source control; anything else is the path of an uploaded source package (`koji/daemon.py SCM.is_scm_url`). */
export function isScmUrl(src: string): boolean {
  return /^(cvs(\+ssh)?|git(\+(http|https|rsync|ssh))?|svn(\+(http|https|ssh))?):\/\//.test(src);
}

/** The request cannot be built; Koji's fault 1005. */
export function buildError(message: string): TaskFault {
  return new TaskFault(faultCodes.build, 'request', message);
}

import { z } from 'zod';
import { describeError } from '../../core/errors.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import { HubFault } from '../../hub/faults.ts';
import { defineTask } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import { flag, optional } from '../params.ts';

const TagBuildParams = z.object({
  tag_id: z.union([z.int(), z.string()]),
  build_id: z.union([z.int(), z.string()]),
  force: optional(flag),
  fromtag: optional(z.union([z.int(), z.string()])),
  ignore_success: optional(flag),
});

/** Tags a build and has the hub tell those who want to know, also when it fails (`builder/kojid TagBuildTask`). */
export const tagBuild = defineTask({
  methods: ['tagBuild'],
  weight: 1.0,
  signature: { names: ['tag_id', 'build_id', 'force', 'fromtag', 'ignore_success'], schema: TagBuildParams },

  async run({ tag_id: tag, build_id: build, force, fromtag, ignore_success: ignoreSuccess }, context) {
    const { hub, task, signal, log } = context;
    const owner = (await hub.host.taskInfo(task.id, { signal }))?.ownerId ?? null;
    const notify = (outcome: { readonly succeeded: boolean; readonly failureMsg?: string }) =>
      hub.builds.tagNotification(
        { ...outcome, ignoreSuccess: ignoreSuccess ?? false },
        tag,
        fromtag,
        build,
        owner,
        signal,
      );
    try {
      if ((await hub.builds.getBuild(build, signal)) === null) {
        throw new TaskFault(faultCodes.generic, 'request', `No such build: ${build}`);
      }
      await hub.tags.tag(tag, { strict: true, signal });
      await hub.builds.tagBuild(task.id, tag, build, { force: force ?? false, fromtag }, signal);
    } catch (error) {
      const failureMsg = error instanceof HubFault ? error.faultString : describeError(error);
      if (!signal.aborted) {
        await notify({ succeeded: false, failureMsg }).catch((failure: unknown) =>
          log.error({ err: failure }, 'reporting the failed tagging to the hub failed'),
        );
      }
      throw error;
    }
    await notify({ succeeded: true });
    return null;
  },
});

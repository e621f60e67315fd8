import { z } from 'zod';
import { Buildroot } from '../../buildroot/buildroot.ts';
import { BuildrootStepFailed } from '../../buildroot/errors.ts';
import { sourceNotInstallable } from '../../buildroot/steps/exit-codes.ts';
import { below } from '../../core/below.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import { readPackageFacts } from '../../rpm/package-reader.ts';
import { checkSrpmName, onlyRebuiltSrpm, requireOneSpec } from '../../rpm/srpm-check.ts';
import { defineTask, type TaskContext } from '../adapter.ts';
import { chooseRootArch, disjointArches, findRepo } from '../buildroot-task.ts';
import { TaskFault } from '../errors.ts';
import { fetchSource } from '../fetch-source.ts';
import { flag, optional } from '../params.ts';

const RebuildSrpmParams = z.object({
  srpm: z.string(),
  build_tag: z.union([z.int(), z.string()]),
  opts: optional(z.looseObject({ repo_id: optional(z.int()), scratch: optional(flag) })),
});

/** Makes an uploaded source package again with the tag's macros, so that it carries its dist tag (`builder/kojid RebuildSRPM`). */
export const rebuildSrpm = defineTask({
  methods: ['rebuildSRPM'],
  weight: 1.0,
  signature: { names: ['srpm', 'build_tag', 'opts'], schema: RebuildSrpmParams },

  // Where it does not say, the build it belongs to does.
  purpose: ({ build_tag: tag, opts }) => ({
    buildTag: [{ tag }],
    ...(opts?.scratch == null ? {} : { scratch: opts.scratch }),
  }),

  async checkHost({ build_tag: tag }, host, tags, signal) {
    return disjointArches(await tags.buildConfig(tag, { signal }), host);
  },

  async run({ srpm, build_tag: tag, opts }, context) {
    const { hub, signal, outputs, directory } = context;
    const repo = await findRepo(context, opts?.repo_id ?? null);
    const source = await fetchSource(context, srpm, 'Input SRPM file missing');
    requireOneSpec(source.header);
    const config = await hub.tags.buildConfig(tag, { event: repo.createEvent, signal });
    const arch = chooseRootArch('noarch', await hub.host.host(signal), config, null, context.random);
    const buildroot = await Buildroot.open(context, {
      repo,
      config,
      arch,
      packageArch: 'noarch',
      group: 'srpm-build',
      packageName: source.header.name,
    });
    const results = await rebuild(context, buildroot, source.path);

    const name = onlyRebuiltSrpm('the buildroot', results.srpms);
    const path = below(directory.absolute, 'results', name);
    checkSrpmName(await readPackageFacts(path, signal), name);
    const [sent = null] = await outputs.send([path], signal);
    await buildroot.logPackageManager();
    await context.logs.finish(signal);
    await buildroot.record.expire(signal);
    return {
      srpm: sent,
      logs: context.logs.uploaded.map((log) => `${outputs.directory}/${log}`),
      brootid: buildroot.record.id,
      source: { source: name, url: name },
    };
  },
});

async function rebuild({ signal }: TaskContext, buildroot: Buildroot, source: string) {
  buildroot.announce();
  try {
    await buildroot.root.bringSource(source);
    return await buildroot.root.rebuildSource(signal);
  } catch (error) {
    if (!(error instanceof BuildrootStepFailed)) throw error;
    // kojid does not ask how unpacking ended, but looks for what it has left.
    if (error.status === sourceNotInstallable)
      throw new TaskFault(faultCodes.build, 'package', 'No spec file found', { cause: error });
    throw new TaskFault(faultCodes.build, 'package', `error building srpm, ${error.end}`, {
      cause: error,
    });
  } finally {
    await buildroot.reported();
  }
}

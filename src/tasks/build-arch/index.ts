import { z } from 'zod';
import { Buildroot } from '../../buildroot/buildroot.ts';
import { BuildrootStepFailed } from '../../buildroot/errors.ts';
import { below } from '../../core/below.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import { buildArchWeight } from '../../rpm/build-arches.ts';
import { noarchRpmdiffName, toNoarchRpmdiffJson } from '../../rpm/noarch-rpmdiff.ts';
import { noarchRpmdiffHashes, readPackageFacts } from '../../rpm/package-reader.ts';
import { checkSrpmTags, onlyBuiltSrpm } from '../../rpm/srpm-check.ts';
import { defineTask, type TaskContext } from '../adapter.ts';
import { chooseRootArch, disjointArches, findRepo } from '../buildroot-task.ts';
import { TaskFault } from '../errors.ts';
import { fetchSource } from '../fetch-source.ts';
import { flag, optional } from '../params.ts';

const BuildArchParams = z.object({
  pkg: z.string(),
  root: z.union([z.int(), z.string()]),
  arch: z.string(),
  keep_srpm: flag,
  opts: optional(z.looseObject({ repo_id: optional(z.int()) })),
});

/** Builds one source package for one arch (`builder/kojid BuildArchTask`). */
export const buildArch = defineTask({
  methods: ['buildArch'],
  weight: 1.5,
  signature: { names: ['pkg', 'root', 'arch', 'keep_srpm', 'opts'], schema: BuildArchParams },

  purpose: ({ root }) => ({ buildTag: [{ tag: root }] }),

  async checkHost({ root }, host, tags, signal) {
    return disjointArches(await tags.buildConfig(root, { signal }), host);
  },

  async run({ pkg, root: tag, arch, keep_srpm: keepSrpm, opts }, context) {
    const { hub, signal, task, outputs, directory } = context;
    const repo = await findRepo(context, opts?.repo_id ?? null);

    const source = await fetchSource(context, pkg, 'SRPM file missing');
    const weight = buildArchWeight(await hub.tags.averageBuildDuration(source.header.name, 6, signal));
    if (weight !== null) await hub.host.setTaskWeight(task.id, weight, signal);

    const config = await hub.tags.buildConfig(tag, { event: repo.createEvent, signal });
    const host = await hub.host.host(signal);
    // A noarch task may have been given an arch because the package excludes others.
    const preferred = arch === 'noarch' ? task.arch : null;
    const rootArch = chooseRootArch(arch, host, config, preferred, context.random);
    const buildroot = await Buildroot.open(context, {
      repo,
      config,
      arch: rootArch,
      packageArch: arch,
      group: 'build',
      packageName: source.header.name,
    });
    const results = await runBuild(context, buildroot, source.path, arch);

    const rpms = results.rpms.map((name) => below(directory.absolute, 'results', name));
    await sendNoarchHashes(context, rpms);
    const sent = await outputs.send(rpms, signal);
    let srpms: readonly string[] = [];
    if (keepSrpm) {
      const path = below(directory.absolute, 'results', onlyBuiltSrpm(task.id, results.srpms));
      checkSrpmTags(await readPackageFacts(path, signal));
      srpms = await outputs.send([path], signal);
    }
    await buildroot.logPackageManager();
    await context.logs.finish(signal);
    await buildroot.record.expire(signal);
    return {
      rpms: sent,
      srpms,
      logs: context.logs.uploaded.map((name) => `${outputs.directory}/${name}`),
      brootid: buildroot.record.id,
    };
  },
});

async function runBuild(context: TaskContext, buildroot: Buildroot, source: string, arch: string) {
  const { signal, log } = context;
  const { root } = buildroot;
  buildroot.announce();
  let isComplete = false;
  try {
    await root.bringSource(source);
    const results = await root.buildPackage(() => {
      isComplete = true;
      // rpmbuild installs nothing, so the hub can have the list while it runs.
      buildroot.update();
    }, signal);
    for (const what of results.passedOver)
      log.warn({ what }, 'skipped among the results, left in the buildroot');
    return results;
  } catch (error) {
    if (!(error instanceof BuildrootStepFailed)) throw error;
    log.info({ step: error.step, status: error.status }, 'build failed');
    if (!isComplete) buildroot.update();
    throw new TaskFault(faultCodes.build, 'package', `error building package (arch ${arch}), ${error.end}`, {
      cause: error,
    });
  } finally {
    if (isComplete) await buildroot.logInstalled();
    await buildroot.reported();
  }
}

/** The file by which the hub compares noarch packages of several arches; it is listed among the logs. */
async function sendNoarchHashes({ task, logs, signal }: TaskContext, rpms: readonly string[]): Promise<void> {
  const noarch = rpms.filter((path) => path.endsWith('.noarch.rpm'));
  if (noarch.length === 0) return;
  await logs.write(
    noarchRpmdiffName,
    toNoarchRpmdiffJson(task.id, await noarchRpmdiffHashes(noarch, signal)),
  );
}

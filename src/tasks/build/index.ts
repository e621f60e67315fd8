import { writeFile } from 'node:fs/promises';
import { below } from '../../core/below.ts';
import type { RpcValue } from '../../hub/xmlrpc/codec.ts';
import { planBuildArches } from '../../rpm/build-arches.ts';
import { cutRpmHeader } from '../../rpm/header.ts';
import type { PackageFacts } from '../../rpm/package-facts.ts';
import { readPackageFacts } from '../../rpm/package-reader.ts';
import { requireSourcePackage } from '../../rpm/srpm-check.ts';
import { defineTask, type TaskContext } from '../adapter.ts';
import { buildArches, rebuildSource, type SourceOrigin } from './children.ts';
import { assertPolicies, type Destination, findDestination } from './destination.ts';
import type { MergedResults } from './merge-results.ts';
import { BuildOptions, BuildParams, buildError, checkOptions, isScmUrl } from './params.ts';
import { findRepo, requestedRepo } from './repo.ts';
import { tagArches } from './tag-arches.ts';

/**
 * The parent of a package build: has the source package made, then one package set for each arch, and hands
 * what was made to the hub (`builder/kojid BuildTask`).
 */
export const build = defineTask({
  methods: ['build'],
  weight: 0.2,
  signature: { names: ['src', 'target', 'opts'], schema: BuildParams },

  purpose: ({ target, opts }) => ({
    buildTag: [
      ...(target === null ? [] : [{ target }]),
      // Of a build in a given repo the target may be a mere tag, or none.
      ...(opts?.repo_id == null ? [] : [{ repoId: opts.repo_id }]),
    ],
    scratch: opts?.scratch ?? false,
  }),

  async checkHost({ src }) {
    return isScmUrl(src) ? 'this builder does not build from source control URLs yet' : null;
  },

  async run({ src, target, opts }, context) {
    const { hub, signal } = context;
    const options = opts ?? BuildOptions.parse({});
    checkOptions(options);
    const given = options.repo_id === null ? null : await requestedRepo(context, options.repo_id);
    const destination = await findDestination(context, target, options, given);
    await assertPolicies(context, src, options, destination);
    const repo = given ?? (await findRepo(context, destination.buildTagId, options));
    const event = given?.createEvent ?? (await hub.tags.lastEvent(signal)).id;
    const buildTag = await hub.tags.buildConfig(destination.buildTagId, { event, signal });

    const source = await rebuildSource(context, src, { buildTag, repo, options });
    const header = await readHeader(context, source.srpm);
    const wanted = await hub.tags.packageConfig(destination.destTagId, header.name, { event, signal });
    if (!destination.skipTag && !options.scratch) {
      const { destTagName } = destination;
      if (wanted === null) throw buildError(`package ${header.name} not in list for tag ${destTagName}`);
      if (wanted.blocked) throw buildError(`package ${header.name} is blocked for tag ${destTagName}`);
    }
    const arches = planBuildArches(tagArches(buildTag), header, {
      extraArches: wanted?.extraArches.join(' ') ?? null,
      scratch: options.scratch ?? false,
      archOverride: options.arch_override,
    });
    const make = () => buildArches(context, source.srpm, header, arches, { buildTag, repo, options });
    if (options.scratch) await toScratch(context, await make());
    else await toBuild(context, header, source, options, destination, make);
    return null;
  },
});

/** What the source package's header says; the rest of it is not fetched. */
async function readHeader({ files, directory, signal }: TaskContext, srpm: string): Promise<PackageFacts> {
  const path = below(directory.absolute, 'header.src.rpm');
  await writeFile(path, await cutRpmHeader(await files.open(`work/${srpm}`, signal)));
  const header = await readPackageFacts(path, signal, { nameless: true });
  requireSourcePackage(header, srpm);
  return header;
}

async function toScratch(context: TaskContext, made: MergedResults): Promise<void> {
  const { hub, task, signal, files } = context;
  const arrived = async () => {
    const info = await hub.host.taskInfo(task.id, { signal });
    const owner = info?.ownerId == null ? null : await hub.tags.user(info.ownerId, signal);
    if (owner === null) return false;
    const names = [made.srpm, ...made.rpms].map((path) => path.slice(path.lastIndexOf('/') + 1));
    for (const name of names) {
      if (!(await files.exists(`scratch/${owner.name}/task_${task.id}/${name}`, signal))) return false;
    }
    return true;
  };
  await hub.builds.moveBuildToScratch(task.id, made, arrived, signal);
}

async function toBuild(
  context: TaskContext,
  header: PackageFacts,
  source: SourceOrigin,
  options: BuildOptions,
  destination: Destination,
  make: () => Promise<MergedResults>,
): Promise<void> {
  const { hub, task, signal, log, subtasks } = context;
  const { name, version, release, epoch } = header;
  const buildId = await hub.builds.initBuild(
    {
      name,
      version,
      release,
      epoch,
      taskId: task.id,
      source: source.origin?.source ?? null,
      extra: extraOf(source, options),
      ...(options.draft ? { draft: true } : {}),
    },
    signal,
  );
  log.info({ buildId, nvr: `${name}-${version}-${release}` }, 'build registered');
  try {
    const made = await make();
    await hub.builds.completeBuild(task.id, buildId, made, made.buildroots, signal);
  } catch (error) {
    // A task that was stopped leaves the build to the hub, and to the task's next run.
    if (!signal.aborted) await failBuild(context, buildId);
    throw error;
  }
  if (destination.skipTag) return;
  const tagging = await subtasks.start({
    method: 'tagBuild',
    args: [destination.destTagId, buildId, false, null, true],
    label: 'tag',
    arch: 'noarch',
  });
  await subtasks.wait([tagging]);
}

/** What went wrong before is what the task's owner has to read, whether this works or not. */
async function failBuild({ hub, task, signal, log }: TaskContext, buildId: number): Promise<void> {
  try {
    await hub.builds.failBuild(task.id, buildId, signal);
  } catch (error) {
    log.error({ err: error, buildId }, 'cannot mark the build as failed on the hub');
  }
}

function extraOf({ origin }: SourceOrigin, options: BuildOptions): Readonly<Record<string, RpcValue>> | null {
  const extra: Record<string, RpcValue> = {
    ...(origin === null ? {} : { source: { original_url: origin.url } }),
    ...(options.custom_user_metadata === null ? {} : { custom_user_metadata: options.custom_user_metadata }),
  };
  return Object.keys(extra).length === 0 ? null : extra;
}

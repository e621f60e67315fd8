import { z } from 'zod';
import { isPythonTrue } from '../../core/python-truth.ts';
import type { RepoInfo } from '../../hub/api/repo-schema.ts';
import type { TagInfo } from '../../hub/api/schema.ts';
import { pickOne, taskArchChoices } from '../../rpm/build-arches.ts';
import type { PackageFacts } from '../../rpm/package-facts.ts';
import type { TaskContext } from '../adapter.ts';
import { childResult } from '../subtasks.ts';
import { type MergedResults, mergeResults } from './merge-results.ts';
import type { BuildOptions } from './params.ts';
import { tagArches } from './tag-arches.ts';

/** What all children of one build have in common. */
export interface ChildInputs {
  readonly buildTag: TagInfo;
  readonly repo: RepoInfo;
  readonly options: BuildOptions;
}

/** A source package on the hub, relative to `work/`, and where it came from when it was made again. */
export interface SourceOrigin {
  readonly srpm: string;
  readonly origin: { readonly source: string; readonly url: string } | null;
}

const SourceResult = z.looseObject({
  srpm: z.string(),
  source: z.object({ source: z.string(), url: z.string() }).nullish(),
});

/**
 * Has the uploaded source package made again in a buildroot, unless the tag's `rebuild_srpm` or, for a
 * scratch build, the user says no (`builder/kojid getSRPM`).
 */
export async function rebuildSource(
  context: TaskContext,
  src: string,
  inputs: ChildInputs,
): Promise<SourceOrigin> {
  const { buildTag, repo, options } = inputs;
  const byUser = options.scratch ? options.rebuild_srpm : null;
  const byTag = buildTag.extra['rebuild_srpm'];
  const rebuild = byUser ?? (byTag === undefined || isPythonTrue(byTag));
  if (!rebuild) return { srpm: src, origin: null };
  const id = await context.subtasks.start({
    method: 'rebuildSRPM',
    args: [src, buildTag.id, { repo_id: repo.id, scratch: options.scratch }],
    label: 'srpm',
    arch: chooseTaskArch(context, 'noarch', buildTag, null),
  });
  const result = childResult(SourceResult, await context.subtasks.wait([id]), id);
  return { srpm: result.srpm, origin: result.source ?? null };
}

/** Starts one buildArch for each arch, the first of which keeps the source package, and gathers what they made. */
export async function buildArches(
  context: TaskContext,
  srpm: string,
  header: PackageFacts,
  arches: readonly string[],
  { buildTag, repo, options }: ChildInputs,
): Promise<MergedResults> {
  const children = new Map<string, number>();
  for (const [index, arch] of arches.entries()) {
    const id = await context.subtasks.start({
      method: 'buildArch',
      args: [srpm, buildTag.id, arch, index === 0, { repo_id: repo.id }],
      label: arch,
      arch: chooseTaskArch(context, arch, buildTag, header),
    });
    children.set(arch, id);
  }
  const failAny = options.fail_fast || !context.settings.buildArchCanFail;
  const results = await context.subtasks.wait([...children.values()], { all: true, failAny });
  return mergeResults(children, results, context.task.id);
}

function chooseTaskArch(
  context: TaskContext,
  arch: string,
  buildTag: TagInfo,
  header: PackageFacts | null,
): string {
  const literal = context.settings.literalTaskArches.join(' ');
  return pickOne(taskArchChoices(arch, tagArches(buildTag), header, literal), context.random);
}

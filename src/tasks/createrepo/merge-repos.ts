import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { caBundleFile } from '../../buildroot/plan/host-network.ts';
import type { Mount } from '../../container/spec.ts';
import { below } from '../../core/below.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import { printable } from '../../core/printable.ts';
import { readLeftFile } from '../../core/read-left-file.ts';
import { copyReadable, writeReadable } from '../../core/readable-files.ts';
import type { RepoInfo } from '../../hub/api/repo-schema.ts';
import type { ExternalRepo } from '../../hub/api/schema.ts';
import { externalUrl, outOfReach, reposForArch } from '../../hub/external-repos.ts';
import type { StepEnd } from '../../steps/task-steps.ts';
import type { TaskContext } from '../adapter.ts';
import { TaskFault, TaskRefused } from '../errors.ts';
import type { RepoJob } from './local-repo.ts';
import { type MergeMode, mergeScript, oldMergerepo } from './merge-script.ts';
import { describeEnd, runRepoStep } from './repo-container.ts';

/**
 * Merges the local repo in `out` of the task's directory with the tag's external repos, and gives the
 * directory with the metadata of all (`builder/kojid merge_repos`). The container has the network,
 * but of the hub's tree only the list of blocked packages and the groups.
 */
export async function mergeRepos(
  context: TaskContext,
  image: string,
  repo: RepoInfo,
  job: RepoJob,
  externals: readonly ExternalRepo[],
): Promise<string> {
  const { directory } = context;
  const mode = chooseMergeMode(externals);
  const wanted = reposForArch(externals, job.arch);
  const refusal = outOfReach(wanted);
  if (refusal !== null) throw new TaskRefused(refusal, { soft: false });

  // One that a previous run has begun reads them.
  if (!context.history.isBegun('mergerepos')) await bringInputs(context, job, mode);
  for (const name of ['repo', 'tmp'])
    await mkdir(join(directory.absolute, 'merge', name), { recursive: true });
  // By the end of this name builders tell packages of the hub from external ones.
  const local = `/adjutant/repo_${repo.id}_premerge`;
  const mounts: readonly Mount[] = [
    { kind: 'work', path: `${directory.work}/out`, target: local, readOnly: true },
    { kind: 'work', path: `${directory.work}/merge`, target: '/adjutant/merge', readOnly: false },
  ];
  const repos = [`file://${local}/`, ...wanted.map((external) => externalUrl(external, job.arch))];
  const script = mergeScript({ mode, arch: job.arch, groups: job.groups, repos });
  const env = { TMPDIR: '/adjutant/merge/tmp', ...context.containerDefaults.network.proxies };
  const ended = await runRepoStep(context, {
    name: 'mergerepos',
    image,
    script,
    network: 'host',
    mounts,
    env,
    fills: ['merge/repo', 'merge/tmp'],
  });
  if (ended.code !== 0)
    throw new TaskFault(faultCodes.generic, 'external', await describeFailure(context, ended));
  return join(directory.absolute, 'merge', 'repo', 'repodata');
}

/** The merge mode that all the repos have in common; what the hub does not name is `koji`. */
function chooseMergeMode(externals: readonly ExternalRepo[]): MergeMode {
  const modes = [...new Set(externals.map(({ mergeMode }) => mergeMode ?? 'koji'))];
  if (modes.length > 1) {
    // kojid prints what Python shows of a dict's keys, and a line feed.
    const keys = modes.map((mode) => `'${mode}'`).join(', ');
    throw new TaskFault(
      faultCodes.generic,
      'request',
      `Found multiple merge modes for external repos: dict_keys([${keys}])\n`,
    );
  }
  const [mode] = modes;
  return mode === 'simple' || mode === 'bare' ? mode : 'koji';
}

async function bringInputs(
  { settings, directory, containerDefaults }: TaskContext,
  job: RepoJob,
  mode: MergeMode,
): Promise<void> {
  const from = below(settings.topDir, job.place);
  const into = join(directory.absolute, 'in');
  const { caBundle } = containerDefaults.network;
  if (caBundle !== null) await writeReadable(join(into, caBundleFile), caBundle);
  if (job.groups) await copyReadable(join(from, 'groups', 'comps.xml'), join(into, 'comps.xml'));
  if (mode !== 'bare') await copyReadable(below(from, job.arch, 'blocklist'), join(into, 'blocklist'));
}

async function describeFailure({ directory }: TaskContext, ended: StepEnd): Promise<string> {
  if (ended.code !== oldMergerepo)
    return `failed to merge repos: mergerepo_c ${describeEnd('mergerepos', ended)}`;
  const version = await readLeftFile(join(directory.absolute, 'merge', 'version'), 1000);
  return `mergerepo_c is not installed or has low version: ${printable(version.toString('utf8'))} (0.13.0 needed for --simple)`;
}

import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { quote } from '../../core/bash.ts';
import { below } from '../../core/below.ts';
import { faultCodes } from '../../core/koji-faults.ts';
import type { TaskContext } from '../adapter.ts';
import { TaskFault } from '../errors.ts';
import { describeEnd, runRepoStep } from './repo-container.ts';

/** One arch of a repo whose metadata is to be made. */
export interface RepoJob {
  /** The repo's directory, relative to the hub's tree. */
  readonly place: string;
  readonly arch: string;
  /** The tag has no packages of the hub for this arch. */
  readonly empty: boolean;
  /** Whether the repo has groups. */
  readonly groups: boolean;
  /** Metadata to take over, relative to the hub's tree, or null. */
  readonly old: string | null;
}

/** Metadata of an older repo, relative to the hub's tree; null when it is gone, which is only a pity. */
export async function findOldMetadata(
  { hub, signal, settings, log }: TaskContext,
  repoId: number,
  arch: string,
): Promise<string | null> {
  const old = await hub.repos.repoInfo(repoId, { strict: true, signal });
  const place = `repos/${old?.tagName}/${repoId}/${arch}/repodata`;
  const found = await stat(below(settings.topDir, place)).catch(() => null);
  if (found?.isDirectory()) return place;
  log.warn({ place }, 'the metadata of the old repo is missing');
  return null;
}

/**
 * Makes the metadata of the hub's own packages in `out/repodata` of the task's directory, without
 * network (`builder/kojid create_local_repo`).
 */
export async function makeLocalRepo(context: TaskContext, image: string, job: RepoJob): Promise<void> {
  const { directory, settings } = context;
  await mkdir(join(directory.absolute, 'out'), { recursive: true });
  const ended = await runRepoStep(context, {
    name: 'createrepo',
    image,
    script: createrepoScript(job, settings.skipStat),
    network: 'none',
    fills: ['out'],
    mounts: [
      { kind: 'work', path: `${directory.work}/out`, target: '/adjutant/out', readOnly: false },
      { kind: 'koji', path: '.', target: '/koji' },
    ],
  });
  if (ended.code !== 0) {
    throw new TaskFault(
      faultCodes.generic,
      'external',
      `failed to create repo: createrepo_c ${describeEnd('createrepo', ended)}`,
    );
  }
}

/** The command kojid runs, with the hub's tree read-only at `/koji` and the result in `/adjutant/out`. */
function createrepoScript({ place, arch, empty, groups, old }: RepoJob, skipStat: boolean): string {
  const repo = `/koji/${place}`;
  const words = [
    'createrepo_c --error-exit-val -vd -o /adjutant/out',
    ...(empty ? [] : [`-i ${quote(`${repo}/${arch}/pkglist`)}`]),
    ...(groups ? [`-g ${quote(`${repo}/groups/comps.xml`)}`] : []),
    ...(old === null || empty ? [] : ['--update', ...(skipStat ? ['--skip-stat'] : [])]),
    empty ? '/adjutant/out' : quote(`${repo}/${arch}`),
  ];
  return [
    '#!/bin/bash',
    'exec </dev/null 2>&1',
    ...(old === null || empty
      ? []
      : [
          `cp -r ${quote(`/koji/${old}`)} /adjutant/out/repodata || exit 1`,
          'rm -f /adjutant/out/repodata/pkgorigins.gz',
        ]),
    `exec ${words.join(' ')}`,
    '',
  ].join('\n');
}

import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { runPhase } from '../../buildroot/run-phase.ts';
import { quote } from '../../buildroot/scripts.ts';
import type { ContainerSpec } from '../../container/spec.ts';
import { type RepoInfo, repoStateName, repoStates } from '../../hub/schema.ts';
import { defineTask, type TaskContext } from '../adapter.ts';
import { faultCode, TaskFault, TaskRefused } from '../errors.ts';
import { requireReposDirectory } from '../repos-directory.ts';

const CreaterepoParams = z.object({
  repo_id: z.int(),
  arch: z.string(),
  oldrepo: z.looseObject({ id: z.int() }).nullable(),
});

/** Makes the metadata of one arch of a repo, from the package list the hub has written (`builder/kojid CreaterepoTask`). */
export const createrepo = defineTask({
  methods: ['createrepo'],
  weight: 1.5,
  signature: { names: ['repo_id', 'arch', 'oldrepo'], schema: CreaterepoParams },

  async run({ repo_id: repoId, arch, oldrepo }, context) {
    const { hub, signal, config, outputs, directory } = context;
    const repo = await hub.repos.repoInfo(repoId, { strict: true, signal });
    if (repo?.state !== repoStates.init) {
      const state = repo === null ? 'no repo' : repoStateName(repo.state);
      throw new TaskFault(faultCode.generic, 'request', `Repo ${repoId} not in INIT state (got ${state})`);
    }
    const externals = await hub.tags.externalRepos(repo.tagId, { event: repo.createEvent, signal });
    if (externals.length > 0) {
      throw new TaskRefused(
        `tag ${repo.tagName} has external repositories, which this builder does not merge yet`,
        { soft: false },
      );
    }
    await requireReposDirectory(config.kojid.topdir);
    const place = `repos/${repo.tagName}/${repoId}`;
    const list = await stat(join(config.kojid.topdir, place, arch, 'pkglist')).catch(() => null);
    if (list === null) {
      throw new TaskFault(
        faultCode.generic,
        'external',
        `Repo directory missing: ${join(config.kojid.topdir, place, arch)}`,
      );
    }
    const old =
      oldrepo === null || !config.kojid.createrepo_update
        ? null
        : await oldMetadata(context, oldrepo.id, arch);
    const empty = list.size === 0;
    await runCreaterepo(context, repo, { place, arch, empty, old });

    const made = join(directory.absolute, 'out', 'repodata');
    if (empty)
      await writeFile(
        join(made, 'EMPTY_REPO'),
        'This repo is empty because its tag has no content for this arch\n',
      );
    const files = (await readdir(made)).sort();
    for (const name of files) await outputs.send(join(made, name), signal);
    return [outputs.directory, files];
  },
});

interface Job {
  /** The repo's directory, relative to the hub's tree. */
  readonly place: string;
  readonly arch: string;
  readonly empty: boolean;
  /** Metadata to take over, relative to the hub's tree, or null. */
  readonly old: string | null;
}

async function oldMetadata(
  { hub, signal, config, log }: TaskContext,
  repoId: number,
  arch: string,
): Promise<string | null> {
  const old = await hub.repos.repoInfo(repoId, { strict: true, signal });
  const place = `repos/${old?.tagName}/${repoId}/${arch}/repodata`;
  const found = await stat(join(config.kojid.topdir, place)).catch(() => null);
  if (found?.isDirectory()) return place;
  log.warn({ place }, 'the metadata of the old repo is missing');
  return null;
}

async function runCreaterepo(context: TaskContext, repo: RepoInfo, job: Job): Promise<void> {
  const { containers, policy, signal, clock, logs, directory, task } = context;
  const image = await policy.resolve(
    {
      method: task.method,
      tag: { id: repo.tagId, name: repo.tagName },
      arch: hostArch(),
      event: repo.createEvent,
    },
    signal,
  );
  await containers.ensureImage(image.image, image.pull, signal);
  await mkdir(join(directory.absolute, 'in'));
  await mkdir(join(directory.absolute, 'out'));
  await writeFile(
    join(directory.absolute, 'in', 'createrepo.sh'),
    createrepoScript(context, job, await hasGroups(context, job)),
  );
  const log = await logs.open('createrepo.log');
  await using container = await containers.create(createrepoContainer(context, image.image), signal);
  const { code } = await runPhase(container, log, clock, signal);
  if (code !== 0) {
    throw new TaskFault(
      faultCode.generic,
      'external',
      `failed to create repo: createrepo_c exited with status ${code}; see createrepo.log for more information`,
    );
  }
}

async function hasGroups({ config }: TaskContext, { place }: Job): Promise<boolean> {
  return (
    (await stat(join(config.kojid.topdir, place, 'groups', 'comps.xml')).catch(() => null))?.isFile() ?? false
  );
}

/** The command kojid runs, with the hub's tree read-only at `/koji` and the result in `/adjutant/out`. */
function createrepoScript(
  { config }: TaskContext,
  { place, arch, empty, old }: Job,
  groups: boolean,
): string {
  const repo = `/koji/${place}`;
  const words = [
    'createrepo_c --error-exit-val -vd -o /adjutant/out',
    ...(empty ? [] : [`-i ${quote(`${repo}/${arch}/pkglist`)}`]),
    ...(groups ? [`-g ${quote(`${repo}/groups/comps.xml`)}`] : []),
    ...(old === null || empty
      ? []
      : ['--update', ...(config.kojid.createrepo_skip_stat ? ['--skip-stat'] : [])]),
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

function createrepoContainer({ task, directory, buildrootHost }: TaskContext, image: string): ContainerSpec {
  return {
    name: `koji-adjutant-${task.id}-createrepo`,
    root: { kind: 'image', image },
    command: ['/bin/bash', '/adjutant/in/createrepo.sh'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C.UTF-8' },
    workdir: '/',
    user: { uid: 0, gid: 0 },
    capabilities: ['DAC_OVERRIDE'],
    network: 'none',
    hostname: buildrootHost.hostname,
    mounts: [
      { kind: 'work', path: `${directory.work}/in`, target: '/adjutant/in', readOnly: true },
      { kind: 'work', path: `${directory.work}/out`, target: '/adjutant/out', readOnly: false },
      { kind: 'koji', path: '.', target: '/koji' },
    ],
    limits: buildrootHost.limits,
    owner: { workerId: buildrootHost.workerId, taskId: task.id, phase: 'createrepo', attempt: 1 },
    labels: buildrootHost.labels,
  };
}

/** The arch this host runs images of; a repo's own arch does not matter for its metadata. */
function hostArch(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}

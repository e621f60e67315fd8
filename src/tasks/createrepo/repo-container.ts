import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { containerName } from '../../container/names.ts';
import type { ContainerSpec, Mount } from '../../container/spec.ts';
import { makeReadable, writeReadable } from '../../core/readable-files.ts';
import type { RepoInfo } from '../../hub/api/repo-schema.ts';
import { hostArch } from '../../rpm/arch.ts';
import type { StepEnd } from '../../steps/task-steps.ts';
import type { TaskContext } from '../adapter.ts';

/** One program of createrepo, run by a generated script in a container of the tag's bootstrap image. */
export interface RepoStep {
  /** Its id in the journal; also the phase of the container and the name of the script and of the log. */
  readonly name: 'createrepo' | 'mergerepos';
  readonly image: string;
  readonly script: string;
  readonly network: ContainerSpec['network'];
  readonly mounts: readonly Mount[];
  readonly env?: Readonly<Record<string, string>>;
  /** Directories that it fills, relative to the task's own: a second try finds them empty. */
  readonly fills: readonly string[];
}

/** Makes sure of the image that the policy of the repo's tag names, and gives its name. */
export async function ensureRepoImage(context: TaskContext, repo: RepoInfo): Promise<string> {
  const { policy, buildrootHost, task, signal } = context;
  const tag = { id: repo.tagId, name: repo.tagName };
  // A repo's own arch does not matter for its metadata.
  const question = { method: task.method, tag, arch: hostArch(), event: repo.createEvent };
  const { image, pull } = await policy.resolve(question, signal);
  await buildrootHost.images.ensure(image, pull, signal);
  return image;
}

/**
 * Runs a step; its output is the log `<name>.log`. Gives how it has ended. The task's directory has an `in`. A step that comes
 * to no end is tried once more; then this rejects with `StepTimedOut`, or `end-unseen`.
 */
export function runRepoStep(context: TaskContext, step: RepoStep): Promise<StepEnd> {
  return context.steps.twice(
    (isAgain) => runOnce(context, step, isAgain ? 2 : 1),
    async () => {
      for (const name of step.fills) {
        const path = join(context.directory.absolute, name);
        await rm(path, { recursive: true, force: true });
        await makeReadable(path);
      }
    },
  );
}

async function runOnce(context: TaskContext, step: RepoStep, attempt: number): Promise<StepEnd> {
  const { name, image } = step;
  const { logs, signal, directory, history, containerDefaults, steps } = context;
  const { createrepoSeconds: seconds } = containerDefaults.stepLimits;
  if (!history.isBegun(name)) await writeReadable(join(directory.absolute, 'in', `${name}.sh`), step.script);
  const log = `${name}.log`;
  return steps.runOfImage(
    {
      id: name,
      title: name,
      spec: toContainerSpec(context, step, attempt),
      log: { name: log, sink: await logs.open(log) },
      timeLimit: { option: 'createrepo_timeout', seconds },
      image,
      fills: [directory.absolute],
      removal: 'at once',
    },
    signal,
  );
}

/** `exited with status N; see X.log for more information`, and the limit that it has run into. */
export function describeEnd(name: RepoStep['name'], { code, limit }: StepEnd): string {
  const why = limit === null ? '' : `: ${limit}`;
  return `exited with status ${code}; see ${name}.log for more information${why}`;
}

function toContainerSpec(
  { task, directory, containerDefaults }: TaskContext,
  step: RepoStep,
  attempt: number,
): ContainerSpec {
  const again = attempt === 1 ? [] : [attempt];
  return {
    name: containerName(containerDefaults.workerId, task.id, step.name, ...again),
    root: { kind: 'image', image: step.image },
    command: ['/bin/bash', `/adjutant/in/${step.name}.sh`],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C.UTF-8', ...step.env },
    workdir: '/',
    user: { uid: 0, gid: 0 },
    capabilities: ['DAC_OVERRIDE'],
    isolation: 'plain',
    network: step.network,
    hostname: containerDefaults.hostname,
    mounts: [
      { kind: 'work', path: `${directory.work}/in`, target: '/adjutant/in', readOnly: true },
      ...step.mounts,
    ],
    limits: containerDefaults.limits,
    owner: { workerId: containerDefaults.workerId, taskId: task.id, phase: step.name, attempt },
    labels: containerDefaults.labels,
  };
}

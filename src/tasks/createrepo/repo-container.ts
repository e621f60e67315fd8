import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isStuck, StepTimedOut } from '../../buildroot/errors.ts';
import { blameHost } from '../../buildroot/steps/step-failure.ts';
import { containerName } from '../../container/names.ts';
import { goneMeanwhile, runPhase } from '../../container/run-phase.ts';
import type { ContainerSpec, Mount } from '../../container/spec.ts';
import { makeReadable, writeReadable } from '../../core/readable-files.ts';
import type { RepoInfo } from '../../hub/api/repo-schema.ts';
import { hostArch } from '../../rpm/arch.ts';
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
 * Runs a step; its output is the log `<name>.log`. Gives the exit code. The task's directory has an `in`. A step that comes
 * to no end is tried once more; then this rejects with `StepTimedOut`, or `end-unseen`.
 */
export async function runRepoStep(context: TaskContext, step: RepoStep): Promise<number> {
  try {
    return await runOnce(context, step, 1);
  } catch (error) {
    if (!isStuck(error)) throw error;
    context.log.warn(`${error.message}: trying once more`);
    for (const name of step.fills) {
      const path = join(context.directory.absolute, name);
      await rm(path, { recursive: true, force: true });
      await makeReadable(path);
    }
    return runOnce(context, step, 2);
  }
}

async function runOnce(context: TaskContext, step: RepoStep, attempt: number): Promise<number> {
  const { containers, logs, clock, signal, directory, cleanup, history, containerDefaults, waits } = context;
  const { createrepoSeconds: seconds } = containerDefaults.stepLimits;
  if (!history.isBegun(step.name))
    await writeReadable(join(directory.absolute, 'in', `${step.name}.sh`), step.script);
  const name = `${step.name}.log`;
  const log = await logs.open(name);
  const spec = toContainerSpec(context, step, attempt);
  const code = await history.phase(step.name, {
    // Null: its time ran out.
    result: z.int().nullable(),
    log: name,
    make: async () => {
      const there = history.resumed ? await containers.adopt(spec, signal) : null;
      const container = cleanup.use(there ?? (await containers.create(spec, signal)));
      return { container, isThere: there !== null };
    },
    async work({ container, isThere }, earlier) {
      if (earlier !== null && !isThere) throw goneMeanwhile(step.name);
      let said = '';
      const heard = {
        async write(bytes: Uint8Array | string) {
          said = `${said}${Buffer.from(bytes).toString()}`.slice(-2000);
          await log.write(bytes);
        },
      };
      const usedMs = earlier === null ? 0 : clock.uptime() - earlier.startedMs;
      const ended = await runPhase(container, heard, clock, signal, {
        ...(earlier !== null && { from: earlier.writtenBytes, end: earlier.tail }),
        timeoutMs: seconds === 0 ? null : Math.max(0, seconds * 1000 - usedMs),
        title: step.name,
        waits,
        log: context.log,
      });
      // It goes while the task continues; the clean-up waits for that, and tries again what has failed.
      void container[Symbol.asyncDispose]().then(undefined, () => undefined);
      if (ended.timedOut) return null;
      blameHost(step.name, ended.code, said, step.image);
      return ended.code;
    },
  });
  if (code === null) throw new StepTimedOut(step.name, { option: 'createrepo_timeout', seconds });
  return code;
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

import { join } from 'node:path';
import { z } from 'zod';
import { goneMeanwhile, runPhase } from '../../buildroot/run-phase.ts';
import { blameHost } from '../../buildroot/step-blame.ts';
import { containerName } from '../../container/names.ts';
import type { ContainerSpec, Mount } from '../../container/spec.ts';
import { writeReadable } from '../../core/readable-files.ts';
import type { RepoInfo } from '../../hub/schema.ts';
import type { TaskContext } from '../adapter.ts';

/** One program of createrepo, run by a generated script in a container of the tag's bootstrap image. */
export interface RepoStep {
  /** Phase of the container; also the name of the script and of the log. */
  readonly name: 'createrepo' | 'mergerepos';
  readonly image: string;
  readonly script: string;
  readonly network: ContainerSpec['network'];
  readonly mounts: readonly Mount[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Makes sure of the image that the policy of the repo's tag names, and gives its name. */
export async function ensureRepoImage(context: TaskContext, repo: RepoInfo): Promise<string> {
  const { policy, containers, task, signal } = context;
  const tag = { id: repo.tagId, name: repo.tagName };
  const question = { method: task.method, tag, arch: hostArch(), event: repo.createEvent };
  const { image, pull } = await policy.resolve(question, signal);
  await containers.ensureImage(image, pull, signal);
  return image;
}

/** Runs a step; its output is the log `<name>.log`. Gives the exit code. The task's directory has an `in`. */
export async function runRepoStep(context: TaskContext, step: RepoStep): Promise<number> {
  const { containers, logs, clock, signal, directory, cleanup, history } = context;
  if (!history.isBegun(step.name))
    await writeReadable(join(directory.absolute, 'in', `${step.name}.sh`), step.script);
  const name = `${step.name}.log`;
  const log = await logs.open(name);
  const spec = toContainerSpec(context, step);
  return history.phase(step.name, {
    result: z.int(),
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
      const { code } = await runPhase(container, heard, clock, signal, {
        ...(earlier !== null && { from: earlier.writtenBytes, end: earlier.tail }),
      });
      // It goes while the task goes on; the clean-up waits for that, and tries again what has failed.
      void container[Symbol.asyncDispose]().then(undefined, () => undefined);
      blameHost(step.name, code, said, step.image);
      return code;
    },
  });
}

function toContainerSpec({ task, directory, buildrootHost }: TaskContext, step: RepoStep): ContainerSpec {
  return {
    name: containerName(buildrootHost.workerId, task.id, step.name),
    root: { kind: 'image', image: step.image },
    command: ['/bin/bash', `/adjutant/in/${step.name}.sh`],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C.UTF-8', ...step.env },
    workdir: '/',
    user: { uid: 0, gid: 0 },
    capabilities: ['DAC_OVERRIDE'],
    network: step.network,
    hostname: buildrootHost.hostname,
    mounts: [
      { kind: 'work', path: `${directory.work}/in`, target: '/adjutant/in', readOnly: true },
      ...step.mounts,
    ],
    limits: buildrootHost.limits,
    owner: { workerId: buildrootHost.workerId, taskId: task.id, phase: step.name, attempt: 1 },
    labels: buildrootHost.labels,
  };
}

/** The arch this host runs images of; a repo's own arch does not matter for its metadata. */
function hostArch(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}

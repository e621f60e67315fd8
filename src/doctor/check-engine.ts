import { availableParallelism } from 'node:os';
import { ContainerError } from '../container/errors.ts';
import type { ImageStore } from '../container/image-store.ts';
import type { PullPolicy, ResourceLimits } from '../container/spec.ts';
import type { RuntimeInfo, StepRuntime } from '../container/step-runtime.ts';
import { describeError } from '../core/errors.ts';
import {
  judgeEngine,
  judgeImage,
  judgeLimits,
  judgeLocks,
  judgeMissingImage,
  judgeSeccomp,
  judgeStorage,
  judgeTools,
  type ReachedEngine,
  type SeenLimits,
  type SeenSeccomp,
} from './engine.ts';
import { type Finding, fail, ok, warn } from './finding.ts';
import { inspectScript, parseInspection, runTrial, trialLimits, trialSpec } from './trial.ts';

export interface EngineUnderTest {
  readonly runtime: StepRuntime;
  readonly images: ImageStore;
  readonly reached: ReachedEngine;
  seccomp(signal: AbortSignal): Promise<SeenSeccomp>;
}

/** Looks at the engine, the default image, the limits of this host's containers, and what a container of that image can do. Pulls nothing. */
export async function* checkEngine(
  { runtime, images, reached, seccomp }: EngineUnderTest,
  info: RuntimeInfo,
  image: { readonly name: string; readonly pull: PullPolicy; readonly limits: ResourceLimits },
  hostArch: string,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  yield judgeEngine(info, reached);
  yield judgeStorage(info);
  yield judgeSeccomp(await seccomp(signal));
  const locks = judgeLocks(info);
  if (locks !== null) yield locks;

  const found = await lookForImage(images, image, hostArch, signal);
  yield found.finding;
  if (!found.isThere) {
    yield judgeLimits(info, trialLimits, null);
    return;
  }
  const start = await tryContainer(runtime, image.name, info, signal);
  yield start.finding;
  yield judgeLimits(info, trialLimits, start.inspection?.limits ?? null);
  if (start.inspection === null) return;
  yield judgeTools(image.name, start.inspection.missing);
  yield await tryOwnLimits(runtime, image, signal);
}

async function lookForImage(
  images: ImageStore,
  { name, pull }: { readonly name: string; readonly pull: PullPolicy },
  hostArch: string,
  signal: AbortSignal,
): Promise<{ readonly finding: Finding; readonly isThere: boolean }> {
  try {
    return {
      finding: judgeImage(name, await images.ensure(name, 'never', signal), hostArch),
      isThere: true,
    };
  } catch (error) {
    if (!(error instanceof ContainerError) || error.code !== 'image-missing') throw error;
    const options = { isLocal: name.startsWith('localhost/'), mayPull: pull !== 'never' };
    return { finding: judgeMissingImage(name, `there is no image ${name}`, options), isThere: false };
  }
}

interface Tried {
  readonly finding: Finding;
  readonly inspection: { readonly missing: readonly string[]; readonly limits: SeenLimits } | null;
}

async function tryContainer(
  runtime: StepRuntime,
  image: string,
  info: RuntimeInfo,
  signal: AbortSignal,
): Promise<Tried> {
  const what = `OCI runtime${info.details.runtime === null ? '' : ` ${info.details.runtime}`}`;
  try {
    const { status } = await runTrial(runtime, trialSpec(image, 'true', ['/bin/true']), signal);
    if (status.code !== 0) {
      const remedy =
        'look for its reason with "podman run"; another runtime can be set in containers.conf(5)';
      return {
        finding: fail(what, `/bin/true in ${image} ended with ${status.code}`, remedy),
        inspection: null,
      };
    }
    const spec = trialSpec(image, 'inspect', ['/bin/sh', '-c', inspectScript]);
    const { output } = await runTrial(runtime, spec, signal);
    return { finding: ok(what, `ran /bin/true in ${image}`), inspection: parseInspection(output) };
  } catch (error) {
    if (!(error instanceof ContainerError)) throw error;
    const remedy =
      'builds run in containers like this one; scripts/setup.sh writes a containers.conf that fits this host';
    return { finding: fail(what, describeError(error), remedy), inspection: null };
  }
}

/** Whether a container with the limits of the builds can run what the scripts of a build begin with. */
async function tryOwnLimits(
  runtime: StepRuntime,
  { name, limits }: { readonly name: string; readonly limits: ResourceLimits },
  signal: AbortSignal,
): Promise<Finding> {
  const what = 'limits of builds';
  const remedy =
    'correct build_memory, build_pids, build_cpus or shm_size in adjutant.conf, RLIMIT_* in kojid.conf';
  const command = ['/bin/sh', '-c', '/bin/sh -c /bin/true | /bin/cat'];
  try {
    const { status, output } = await runTrial(
      runtime,
      { ...trialSpec(name, 'limits', command), limits },
      signal,
    );
    if (status.code !== 0 || status.ranInto !== undefined)
      return fail(what, `a shell ended with ${status.code}: ${output.trim() || 'no output'}`, remedy);
  } catch (error) {
    if (!(error instanceof ContainerError)) throw error;
    return fail(what, describeError(error), remedy);
  }
  const processors = availableParallelism();
  if (limits.cpus !== undefined && limits.cpus > processors)
    return warn(what, `build_cpus is ${limits.cpus}`, `this host has ${processors}, so that limits nothing`);
  return ok(what, 'a container starts with them');
}

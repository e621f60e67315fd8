import { ContainerError } from '../container/errors.ts';
import type { BackendInfo, ContainerManager } from '../container/manager.ts';
import type { PullPolicy } from '../container/spec.ts';
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
import { type Finding, fail, ok } from './finding.ts';
import { inspectScript, parseInspection, runTrial, trialLimits, trialSpec } from './trial.ts';

export interface EngineUnderTest {
  readonly containers: ContainerManager;
  readonly reached: ReachedEngine;
  seccomp(signal: AbortSignal): Promise<SeenSeccomp>;
}

/** Looks at the engine, the default image, and what a container of that image can do. Pulls nothing. */
export async function* checkEngine(
  { containers, reached, seccomp }: EngineUnderTest,
  info: BackendInfo,
  image: { readonly name: string; readonly pull: PullPolicy },
  hostArch: string,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  yield judgeEngine(info, reached);
  yield judgeStorage(info);
  yield judgeSeccomp(await seccomp(signal));
  const locks = judgeLocks(info);
  if (locks !== null) yield locks;

  const found = await lookForImage(containers, image, hostArch, signal);
  yield found.finding;
  if (!found.isThere) {
    yield judgeLimits(info, trialLimits, null);
    return;
  }
  const start = await tryContainer(containers, image.name, info, signal);
  yield start.finding;
  yield judgeLimits(info, trialLimits, start.inspection?.limits ?? null);
  if (start.inspection !== null) yield judgeTools(image.name, start.inspection.missing);
}

async function lookForImage(
  containers: ContainerManager,
  { name, pull }: { readonly name: string; readonly pull: PullPolicy },
  hostArch: string,
  signal: AbortSignal,
): Promise<{ readonly finding: Finding; readonly isThere: boolean }> {
  try {
    return {
      finding: judgeImage(name, await containers.ensureImage(name, 'never', signal), hostArch),
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
  containers: ContainerManager,
  image: string,
  info: BackendInfo,
  signal: AbortSignal,
): Promise<Tried> {
  const what = `OCI runtime${info.details.runtime === null ? '' : ` ${info.details.runtime}`}`;
  try {
    const { status } = await runTrial(containers, trialSpec(image, 'true', ['/bin/true']), signal);
    if (status.code !== 0) {
      const remedy =
        'look for its reason with "podman run"; another runtime can be set in containers.conf(5)';
      return {
        finding: fail(what, `/bin/true in ${image} ended with ${status.code}`, remedy),
        inspection: null,
      };
    }
    const spec = trialSpec(image, 'inspect', ['/bin/sh', '-c', inspectScript]);
    const { output } = await runTrial(containers, spec, signal);
    return { finding: ok(what, `ran /bin/true in ${image}`), inspection: parseInspection(output) };
  } catch (error) {
    if (!(error instanceof ContainerError)) throw error;
    const remedy =
      'builds run in containers like this one; scripts/setup.sh writes a containers.conf that fits this host';
    return { finding: fail(what, describeError(error), remedy), inspection: null };
  }
}

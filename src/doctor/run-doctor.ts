import { readFile } from 'node:fs/promises';
import { formatAcceptRules, patternsWithoutMethod } from '../config/options/accept-rules.ts';
import type { Config } from '../config/schema.ts';
import { ContainerError } from '../container/errors.ts';
import type { ImageStore } from '../container/image-store.ts';
import type { ResourceLimits } from '../container/spec.ts';
import type { RuntimeInfo } from '../container/step-runtime.ts';
import { describeError } from '../core/errors.ts';
import type { HostTrust } from '../core/host-trust.ts';
import { checkEngine, type EngineUnderTest } from './check-engine.ts';
import { checkHub, checkTopUrls, type HubUnderTest } from './check-hub.ts';
import { checkEngineHost, checkPlaces, isDirectory } from './check-machine.ts';
import { judgeTrust } from './check-trust.ts';
import { type Finding, fail } from './finding.ts';
import { judgeAccept, judgeNode } from './machine.ts';
import { runTrialBuild, type TrialArea } from './trial-build/run-trial-build.ts';

export interface DoctorParts {
  readonly config: Config;
  readonly nodeVersion: string;
  readonly user: { readonly name: string; readonly uid: number };
  /** This machine in Koji's words (`x86_64`). */
  readonly arch: string;
  /** Methods of the tasks that this builder has. */
  readonly taskMethods: readonly string[];
  /** The default image's name on this machine. */
  readonly image: string;
  /** What each container gets. */
  readonly limits: ResourceLimits;
  readonly trust: HostTrust;
  /** Look only, and build nothing. */
  readonly quick: boolean;
  readonly umask: number;
  connectEngine(signal: AbortSignal): Promise<EngineUnderTest>;
  openTrial(signal: AbortSignal): Promise<TrialArea>;
  connectHub(): Promise<HubUnderTest>;
}

/** Longest time for one group of checks. */
const groupTimeoutMs = 120_000;
/** The trial build takes some ten seconds, and on an emulated machine minutes. */
const trialTimeoutMs = 900_000;

/**
 * All checks of this host with a configuration that could be loaded, one finding after another. What
 * cannot be reached is one FAIL, and what depends on it is left out. Changes nothing on the hub, and on the
 * host only what the daemon's start would change too: a private engine service is started when there is none.
 */
export async function* runDoctor(parts: DoctorParts, signal: AbortSignal): AsyncGenerator<Finding> {
  const { config, user, arch } = parts;
  const { topdir, topurl, minspace } = config.kojid;
  const minSpaceBytes = minspace * 2 ** 20;
  const group = (what: string, checks: (limit: AbortSignal) => AsyncGenerator<Finding>, timeoutMs?: number) =>
    untilItFails(what, signal, checks, timeoutMs);

  yield judgeNode(parts.nodeVersion);
  const { accept } = config.adjutant;
  yield* judgeAccept(
    formatAcceptRules(accept),
    patternsWithoutMethod(accept, parts.taskMethods),
    parts.taskMethods,
  );
  yield* group('directories', () =>
    checkPlaces({ workDir: config.adjutant.state_dir, topDir: topdir, minSpaceBytes }),
  );
  const seen: { images?: ImageStore; info?: RuntimeInfo } = {};
  let isSound = true;
  const engineChecks = group('container engine', async function* (limit) {
    const engine = await parts.connectEngine(limit);
    const info = await engine.runtime.probe(limit);
    Object.assign(seen, { images: engine.images, info });
    const image = { name: parts.image, pull: config.adjutant.image_pull_policy, limits: parts.limits };
    yield* checkEngine(engine, info, image, arch, limit);
    yield* checkEngineHost(info, user, minSpaceBytes);
  });
  for await (const finding of engineChecks) {
    if (finding.level === 'FAIL') isSound = false;
    yield finding;
  }
  const { images, info } = seen;
  if (!parts.quick && isSound && images !== undefined && info !== undefined) {
    const trial = (limit: AbortSignal) => tryBuild(parts, images, info, limit);
    yield* group('trial build', trial, trialTimeoutMs);
  }
  yield* judgeTrust(parts.trust);
  yield* group('hub', async function* (limit) {
    const hub = await parts.connectHub();
    yield* checkHub(hub, { arch, hasTopDir: await isDirectory(topdir) }, limit);
  });
  yield* group('topurl', (limit) => checkTopUrls(topurl, limit));
}

/** Nothing where the image is not here yet, which another finding has said. */
async function* tryBuild(
  { image, arch, umask, openTrial }: DoctorParts,
  images: ImageStore,
  info: RuntimeInfo,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  const digest = await digestOf(image, images, signal);
  if (digest === null) return;
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const order = { info, image: { name: image, digest }, arch, umask, bootId };
  yield* runTrialBuild(openTrial, order, signal);
}

async function digestOf(image: string, images: ImageStore, signal: AbortSignal): Promise<string | null> {
  try {
    return (await images.ensure(image, 'never', signal)).digest;
  } catch (error) {
    if (error instanceof ContainerError && error.code === 'image-missing') return null;
    throw error;
  }
}

/** A group of checks whose own failure is its last finding, and so is that it takes longer than it may. */
export async function* untilItFails(
  what: string,
  signal: AbortSignal,
  checks: (limit: AbortSignal) => AsyncGenerator<Finding>,
  timeoutMs = groupTimeoutMs,
): AsyncGenerator<Finding> {
  const late = AbortSignal.timeout(timeoutMs);
  try {
    yield* checks(AbortSignal.any([signal, late]));
  } catch (error) {
    signal.throwIfAborted();
    if (error === late.reason) {
      const found = `not looked at to the end within ${timeoutMs / 1000} s`;
      yield fail(what, found, 'see whether it answers, and try again when this host is less busy');
      return;
    }
    yield fail(what, describeError(error), null);
  }
}

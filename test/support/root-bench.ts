import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import { BuildEnvironment } from '../../src/buildroot/build-environment.ts';
import type { BuildrootCache, BuildrootHost } from '../../src/buildroot/host.ts';
import type { SiteSettings } from '../../src/buildroot/plan/mock-environment.ts';
import { hubRepo } from '../../src/buildroot/plan/repos.ts';
import type { RootRequest } from '../../src/buildroot/plan/root-request.ts';
import { rootTask } from '../../src/buildroot/steps/root-context.ts';
import type { RootLogs } from '../../src/buildroot/steps/root-logs.ts';
import { FailedRoots } from '../../src/cache/failed-roots.ts';
import { Fetcher } from '../../src/cache/fetcher.ts';
import { MetadataCache } from '../../src/cache/metadata-cache.ts';
import { PackageCache } from '../../src/cache/package-cache.ts';
import { SnapshotStore } from '../../src/cache/snapshot-store.ts';
import { SolverCache } from '../../src/cache/solver-cache.ts';
import type { ContainerBackend } from '../../src/container/backend.ts';
import { BackgroundRemovals } from '../../src/container/background-removals.ts';
import type { FakeBehaviour } from '../../src/container/fake/behaviour.ts';
import { FakeRuntime } from '../../src/container/fake/fake-runtime.ts';
import { containerName } from '../../src/container/names.ts';
import type { ContainerSpec } from '../../src/container/spec.ts';
import type { Clock } from '../../src/core/clock.ts';
import { createLogger } from '../../src/core/logger.ts';
import { noMeter } from '../../src/core/meter.ts';
import { never } from '../../src/core/never.ts';
import { Waits } from '../../src/core/waits.ts';
import { type History, noHistory } from '../../src/journal/history.ts';
import { playRoot, type RootPlay } from './fake-root.ts';
import { ManualClock } from './manual-clock.ts';
import { silentLog } from './silent-log.ts';
import { toSourceRpm } from './source-rpm.ts';

const image = 'localhost/image:1';
const bootstrap = { id: 'i', digest: 'sha256:0', arch: 'x86_64' };

export const site: SiteSettings = {
  vendor: 'V',
  packager: 'P',
  distribution: 'D',
  mockHost: 'koji-linux-gnu',
  buildHost: 'host',
  proxy: null,
  rpmbuildTimeoutSeconds: 3600,
};

export const noStepLimits: BuildrootHost['stepLimits'] = {
  solveSeconds: 0,
  installSeconds: 0,
  createrepoSeconds: 0,
};

/** The logs of a root as texts. */
export class TextLogs implements RootLogs {
  readonly texts = { root: '', build: '' };
  readonly steps: string[] = [];
  readonly root = { write: async (bytes: Uint8Array | string) => this.#add('root', bytes) };
  readonly build = { write: async (bytes: Uint8Array | string) => this.#add('build', bytes) };

  async step(name: string, at: 'start' | 'finish'): Promise<void> {
    this.steps.push(`${at} ${name}`);
  }

  #add(log: 'root' | 'build', bytes: Uint8Array | string): void {
    this.texts[log] += Buffer.from(bytes).toString();
  }

  readonly durations: { readonly name: string; readonly ranMs: number | null }[] = [];
  /** When after its beginning a step wrote its first line, for those that did. */
  readonly firstOutputs: { readonly name: string; readonly firstOutputMs: number }[] = [];

  took(name: string, _stepMs: number, ranMs: number | null, firstOutputMs: number | null): void {
    this.durations.push({ name, ranMs });
    if (firstOutputMs !== null) this.firstOutputs.push({ name, firstOutputMs });
  }
}

export interface RootChanges {
  readonly request?: Partial<RootRequest>;
  readonly site?: Partial<SiteSettings>;
  readonly codeLimits?: BuildrootHost['codeLimits'];
  readonly network?: Partial<BuildrootHost['network']>;
  readonly stepLimits?: BuildrootHost['stepLimits'];
  readonly log?: BuildrootHost['log'];
  readonly signal?: AbortSignal;
  readonly history?: History;
  /** `repomd.xml` of the repo; left out: the repo has none, and no answer of the solver is remembered. */
  readonly repomd?: string;
  /** The host that this root is made on; left out: one of its own. */
  readonly on?: HostBench;
}

/** A cache below the directory, empty unless there is one. */
export function emptyCache(
  backend: ContainerBackend,
  directory: string,
  clock: Clock = new ManualClock(),
  failedLifetimeMs = 0,
): BuildrootCache {
  const place = (name: string) => join(directory, 'cache', name);
  const urls = new Fetcher({}, clock);
  const log = createLogger('silent');
  const snapshots = new SnapshotStore(backend.roots, place('snapshots'), log);
  return {
    snapshots,
    failed: new FailedRoots(backend.runtime, {
      directory: place('failed'),
      lifetimeMs: failedLifetimeMs,
      clock,
      log,
    }),
    packages: new PackageCache(place('packages'), urls, clock),
    solutions: new SolverCache(place('solutions')),
    metadata: new MetadataCache(place('metadata')),
    urls,
  };
}

/** What the roots of one host share. All of it goes when the test ends. */
export async function openHostBench(failedLifetimeMs = 0) {
  const directory = await mkdtemp(join(tmpdir(), 'root-'));
  const clock = new ManualClock();
  const plays = new Map<number, (spec: ContainerSpec) => FakeBehaviour>();
  const containers = new FakeRuntime({
    clock,
    images: { [image]: bootstrap },
    behave: (spec) => plays.get(spec.owner.taskId)?.(spec) ?? {},
  });
  await containers.images.ensure(image, 'never', never);
  const cache = emptyCache(containers.ports, directory, clock, failedLifetimeMs);
  const removals = new BackgroundRemovals(createLogger('silent'));
  onTestFinished(async () => {
    await removals.idle();
    containers.assertClean();
    await rm(directory, { recursive: true, force: true });
  });
  return { directory, clock, plays, containers, cache, removals, waits: new Waits(clock) };
}

export type HostBench = Awaited<ReturnType<typeof openHostBench>>;

/** All around a root of task 5, or the next one of the host, whose containers do as `play` says. It goes when the test ends. */
export async function openRootBench(play: RootPlay, changes: RootChanges = {}) {
  const bench = changes.on ?? (await openHostBench());
  const { clock, containers, cache, removals, plays } = bench;
  const taskId = 5 + plays.size;
  const directory = join(bench.directory, `tasks/${taskId}`);
  await mkdir(join(directory, 'repo/repodata'), { recursive: true });
  if (changes.repomd !== undefined)
    await writeFile(join(directory, 'repo/repodata/repomd.xml'), changes.repomd);
  plays.set(taskId, playRoot(directory, play, null));
  const logs = new TextLogs();
  const cleanup = new AsyncDisposableStack();
  // Such hooks run backwards: the host's own comes last.
  onTestFinished(() => cleanup.disposeAsync());
  const host: BuildrootHost = {
    ...containers.ports,
    clock,
    cache,
    removals,
    site: { ...site, ...changes.site },
    workerId: 'worker',
    meter: noMeter,
    network: { caBundle: null, proxies: {}, ...changes.network },
    log: changes.log ?? silentLog,
    waits: bench.waits,
    stepLimits: changes.stepLimits ?? noStepLimits,
    hostname: 'host.example.com',
    localTime: null,
    limits: { pids: 10 },
    labels: { a: 'b' },
    codeLimits: changes.codeLimits ?? {},
    extraMounts: [{ kind: 'host', source: '/srv/data', target: '/data', readOnly: true }],
  };
  const request: RootRequest = {
    taskId,
    buildrootId: 9,
    image,
    imageDigest: bootstrap.digest,
    group: 'build',
    extra: {},
    repos: [hubRepo([pathToFileURL(join(directory, 'repo')).href])],
    targetArch: 'x86_64',
    rpmTarget: 'x86_64',
    personality: null,
    network: 'none',
    directory: { absolute: directory, work: `tasks/${taskId}` },
    ...changes.request,
  };
  const prepare = () =>
    BuildEnvironment.prepare(
      host,
      request,
      logs,
      rootTask(host, taskId, changes.history ?? noHistory, cleanup),
      changes.signal ?? never,
    );
  const prefix = containerName('worker', taskId, 9, '');
  const named = (calls: readonly string[], call: string) =>
    calls.flatMap((made) =>
      made.startsWith(`${call}${prefix}`) ? [made.slice(call.length + prefix.length)] : [],
    );
  return {
    bench,
    directory,
    clock,
    containers,
    logs,
    cleanup,
    prepare,
    /** A root that is made, with a source package in it. */
    async withSource(source: Uint8Array = toSourceRpm()): Promise<BuildEnvironment> {
      const root = await prepare();
      await writeFile(join(directory, 'given.src.rpm'), source);
      await root.bringSource(join(directory, 'given.src.rpm'));
      return root;
    },
    /** Phase and number of its containers and drafts that were made, of those that were started, and removed, in order. */
    created: () =>
      named(
        containers.calls.map((call) => call.replace(/^prepare /, 'create ')),
        'create ',
      ),
    started: () => named(containers.calls, 'start '),
    removed: () => named(containers.calls, 'remove '),
    /** The specs of its containers by phase and number. */
    spec: (name: string) => containers.created.find((spec) => spec.name === prefix + name),
    /** Its drafts in the same way. */
    draft: (name: string) => containers.roots.prepared.find((draft) => draft.name === prefix + name),
  };
}

/** What the promise rejects with; null when it does not. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import type { BuildrootCache, BuildrootHost, RootRequest } from '../../src/buildroot/containers.ts';
import type { SiteSettings } from '../../src/buildroot/mock-environment.ts';
import type { RootLogs } from '../../src/buildroot/root-ground.ts';
import { TagRoot } from '../../src/buildroot/tag-root.ts';
import { PackageCache } from '../../src/cache/package-cache.ts';
import { SnapshotStore } from '../../src/cache/snapshot-store.ts';
import { SolutionMemo } from '../../src/cache/solution-memo.ts';
import { FakeManager } from '../../src/container/fake/fake-manager.ts';
import type { ContainerManager } from '../../src/container/manager.ts';
import { createLogger } from '../../src/core/logger.ts';
import { playRoot, type RootPlay } from './fake-root.ts';
import { ManualClock } from './manual-clock.ts';
import { toSourceRpm } from './source-rpm.ts';

const never = new AbortController().signal;
const image = 'localhost/image:1';

export const site: SiteSettings = {
  vendor: 'V',
  packager: 'P',
  distribution: 'D',
  mockHost: 'koji-linux-gnu',
  buildHost: 'host',
  proxy: null,
  rpmbuildTimeoutSeconds: 3600,
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

  took(name: string, _stepMs: number, ranMs: number | null): void {
    this.durations.push({ name, ranMs });
  }
}

export interface RootChanges {
  readonly request?: Partial<RootRequest>;
  readonly site?: Partial<SiteSettings>;
  readonly signal?: AbortSignal;
  readonly cache?: BuildrootCache;
}

/** An empty cache below the directory. */
export function emptyCache(containers: ContainerManager, directory: string): BuildrootCache {
  const place = (name: string) => join(directory, 'cache', name);
  return {
    snapshots: new SnapshotStore(containers, place('snapshots'), createLogger('silent')),
    packages: new PackageCache(place('packages'), null),
    packagesPath: 'cache/packages',
    solutions: new SolutionMemo(place('solutions')),
  };
}

/** All around a root of task 5, buildroot 9, whose containers do as `play` says. It goes when the test ends. */
export async function openRootBench(play: RootPlay, changes: RootChanges = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'root-'));
  const clock = new ManualClock();
  const found = { id: 'i', digest: 'sha256:0', arch: 'x86_64' };
  const containers = new FakeManager({
    clock,
    images: { [image]: found },
    behave: playRoot(directory, play),
  });
  await containers.ensureImage(image, 'never', never);
  const logs = new TextLogs();
  const cleanup = new AsyncDisposableStack();
  onTestFinished(async () => {
    await cleanup.disposeAsync();
    await host.cache.snapshots.idle();
    containers.assertClean();
    await rm(directory, { recursive: true, force: true });
  });
  const host: BuildrootHost = {
    ...{ containers, clock, site: { ...site, ...changes.site }, workerId: 'worker' },
    ...{ hostname: 'host.example.com', localTime: null, limits: { pids: 10 }, labels: { a: 'b' } },
    cache: changes.cache ?? emptyCache(containers, directory),
    extraMounts: [{ kind: 'host', source: '/srv/data', target: '/data', readOnly: true }],
  };
  const request: RootRequest = {
    ...{ taskId: 5, buildrootId: 9, image, imageDigest: found.digest, group: 'build', extra: {} },
    repoUrls: [pathToFileURL(join(directory, 'repo')).href],
    ...{ targetArch: 'x86_64', rpmTarget: 'x86_64', personality: null, network: 'none' },
    directory: { absolute: directory, work: 'tasks/5' },
    ...changes.request,
  };
  return {
    directory,
    clock,
    containers,
    logs,
    prepare: () => TagRoot.prepare(host, request, logs, cleanup, changes.signal ?? never),
    /** A root that is made, with a source package in it. */
    async withSource(source: Uint8Array = toSourceRpm({})): Promise<TagRoot> {
      const root = await TagRoot.prepare(host, request, logs, cleanup, changes.signal ?? never);
      await writeFile(join(directory, 'given.src.rpm'), source);
      await root.bringSource(join(directory, 'given.src.rpm'));
      return root;
    },
    /** Phase and number of the containers that were made, and of those that were started, in order. */
    created: () => containers.created.map(({ name }) => shortName(name)),
    started: () => containers.calls.filter((call) => call.startsWith('start ')).map(shortName),
  };
}

const shortName = (name: string) => name.replace(/.*koji-adjutant-5-9-/, '');

/** What the promise rejects with; null when it does not. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

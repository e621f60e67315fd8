import { execFile, spawnSync } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { BuildEnvironment } from '../../src/buildroot/build-environment.ts';
import type { BuildrootHost } from '../../src/buildroot/host.ts';
import { hubRepo } from '../../src/buildroot/plan/repos.ts';
import { rootTask } from '../../src/buildroot/steps/root-context.ts';
import { BackgroundRemovals } from '../../src/container/background-removals.ts';
import { PodmanRuntime } from '../../src/container/podman/podman-runtime.ts';
import type { ContainerSpec, KeptRoot } from '../../src/container/spec.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createLogger } from '../../src/core/logger.ts';
import { noMeter } from '../../src/core/meter.ts';
import { never } from '../../src/core/never.ts';
import { Waits } from '../../src/core/waits.ts';
import { noHistory } from '../../src/journal/history.ts';
import { hostArch } from '../../src/rpm/arch.ts';
import { emptyCache, noStepLimits, site, TextLogs } from '../support/root-bench.ts';
import { testUlimits } from './container-harness.ts';

/** Runs a program to its end. */
export const run = promisify(execFile);
/** The engine's. */
export const socketPath = process.env['KOJI_ADJUTANT_TEST_ENGINE_SOCKET'] ?? '';

/** The bootstrap image of the tests. */
export const image = process.env['KOJI_ADJUTANT_TEST_IMAGE'] ?? '';
/** One with dnf 5; empty where there is none. */
export const dnf5Image = process.env['KOJI_ADJUTANT_TEST_DNF5_IMAGE'] ?? '';
export const noDnf5 = dnf5Image === '' ? ': KOJI_ADJUTANT_TEST_DNF5_IMAGE is not set (scripts/test.sh)' : '';

function whatIsMissing(): string {
  if (socketPath === '' || image === '')
    return ': KOJI_ADJUTANT_TEST_ENGINE_SOCKET and KOJI_ADJUTANT_TEST_IMAGE are not set (scripts/test.sh does)';
  const tool = ['podman', 'rpmbuild', 'createrepo_c'].find(
    (name) => spawnSync(name, ['--version']).error !== undefined,
  );
  return tool === undefined ? '' : `: ${tool} is not installed`;
}
/** What a test of real roots lacks here. */
export const missing = whatIsMissing();

/** Serves a directory until the test ends. */
export async function serve(directory: string): Promise<string> {
  const server = createServer((request, response) => {
    readFile(join(directory, new URL(request.url ?? '', 'http://localhost').pathname)).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on a port
}

/**
 * A host with an empty cache, and what was made on it. All of it goes when the test ends. `engine` is the socket of another engine
 * than that of the tests.
 */
export function openHost(
  directory: string,
  engine = socketPath,
): {
  readonly host: BuildrootHost;
  /** The containers. */
  readonly made: readonly ContainerSpec[];
  /** A tar stream of a directory of the root that was kept last. */
  copyFromRoot(path: string): Promise<Readable>;
} {
  const containers = new PodmanRuntime({
    socketPath: engine,
    clock: systemClock,
    logger: createLogger('warn'),
    ulimits: testUlimits,
    places: { workDir: directory, topDir: directory, logDir: directory },
    reconnectMs: 0,
    timeoutMs: 60_000,
    pullMs: 60_000,
  });
  const made: ContainerSpec[] = [];
  const create = containers.create.bind(containers);
  containers.create = async (spec, signal) => {
    const container = await create(spec, signal);
    made.push(spec);
    return container;
  };
  const kept: KeptRoot[] = [];
  const { roots } = containers;
  const commit = roots.commit.bind(roots);
  roots.commit = async (...call) => {
    const committed = await commit(...call);
    kept.push(committed.root);
    return committed;
  };
  const cache = emptyCache(containers.ports, directory);
  const removals = new BackgroundRemovals(createLogger('silent'));
  onTestFinished(async () => {
    await removals.idle();
    const snapshots = await cache.snapshots.list(never);
    // The younger ones are made of the older ones.
    for (const { key } of snapshots.toSorted((a, b) => b.createdMs - a.createdMs))
      await cache.snapshots.forget(key);
  });
  const host = {
    ...containers.ports,
    clock: systemClock,
    site,
    meter: noMeter,
    workerId: 'tag-root-test',
    hostname: 'localhost',
    cache,
    removals,
    network: { caBundle: null, proxies: {} },
    log: createLogger('silent'),
    waits: new Waits(systemClock),
    stepLimits: noStepLimits,
    localTime: null,
    limits: { pids: 1000 },
    labels: {},
    codeLimits: {},
    extraMounts: [],
  };
  return {
    host,
    made,
    async copyFromRoot(path) {
      const spec = made.at(-1);
      const on = kept.at(-1);
      if (spec === undefined || on === undefined) throw new Error('no root was kept');
      const looking = {
        ...spec,
        name: `${spec.name}-seen`,
        root: { kind: 'layer', on },
        mounts: [],
      } as const;
      const container = await create(looking, never);
      onTestFinished(() => container[Symbol.asyncDispose]());
      return container.copyOut(path, never);
    },
  };
}

/** A root of the group, with the source package in it. */
export async function openRoot(
  host: BuildrootHost,
  bootstrap: string,
  buildrootId: number,
  repoUrl: string,
  directory: string,
  source: string,
  group = 'build',
  logs = new TextLogs(),
) {
  const cleanup = new AsyncDisposableStack();
  onTestFinished(() => cleanup.disposeAsync());
  const { digest } = await host.images.ensure(bootstrap, 'never', never);
  const work = `task-${buildrootId}`;
  await mkdir(join(directory, work));
  const request = {
    taskId: process.pid,
    buildrootId,
    image: bootstrap,
    imageDigest: digest,
    group,
    repos: [hubRepo([repoUrl])],
    extra: {},
    targetArch: hostArch(),
    rpmTarget: 'noarch',
    personality: null,
    network: 'none' as const,
    directory: { absolute: join(directory, work), work },
  };
  const root = await BuildEnvironment.prepare(
    host,
    request,
    logs,
    rootTask(host, request.taskId, noHistory, cleanup),
    never,
  );
  await root.bringSource(source);
  return { root, logs };
}

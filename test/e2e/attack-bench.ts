import { mkdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { BuildEnvironment, type BuildResults } from '../../src/buildroot/build-environment.ts';
import { type BuildrootHost, withGrants } from '../../src/buildroot/host.ts';
import { hubRepo } from '../../src/buildroot/plan/repos.ts';
import type { RootRequest } from '../../src/buildroot/plan/root-request.ts';
import type { SiteGrants } from '../../src/buildroot/plan/site-rules.ts';
import { rootTask } from '../../src/buildroot/steps/root-context.ts';
import { BackgroundRemovals } from '../../src/container/background-removals.ts';
import { PodmanRuntime } from '../../src/container/podman/podman-runtime.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createLogger } from '../../src/core/logger.ts';
import { noMeter } from '../../src/core/meter.ts';
import { never } from '../../src/core/never.ts';
import { Waits } from '../../src/core/waits.ts';
import { noHistory } from '../../src/journal/history.ts';
import { hostArch } from '../../src/rpm/arch.ts';
import { testUlimits } from '../podman/container-harness.ts';
import { type LaneArea, takeArea } from '../support/lane.ts';
import { emptyCache, noStepLimits, site, TextLogs } from '../support/root-bench.ts';
import { makeSrpm, surroundings } from './surroundings.ts';
import { type CreateBody, UnsealingProxy } from './unsealing-proxy.ts';

const logger = createLogger('warn');

/** How a build differs from one of the product: protections taken away, other limits, a hook into its files. */
export interface AttackedBuild {
  /** Shell of %build. */
  readonly script: string;
  /** Lines of the spec before %description. */
  readonly preamble?: string;
  readonly unseal?: (body: CreateBody) => CreateBody;
  readonly limits?: Partial<BuildrootHost['limits']>;
  readonly codeLimits?: BuildrootHost['codeLimits'];
  readonly mounts?: BuildrootHost['extraMounts'];
  /** What the operator's site file opens. */
  readonly grants?: SiteGrants;
  readonly extra?: RootRequest['extra'];
  readonly timeoutSeconds?: number;
  /** Once the root is there, before the build; gets the task's directory. */
  readonly prepared?: (directory: string) => Promise<void>;
}

export interface AttackOutcome {
  readonly log: string;
  /** What the build has made, or why it failed. */
  readonly results: BuildResults | null;
  readonly error: unknown;
  /** The task's directory. */
  readonly directory: string;
}

/** Builds hostile packages as a task does, hub apart, on one host with one cache. */
export class AttackBench implements AsyncDisposable {
  readonly #area: LaneArea;
  readonly #isCold: boolean;
  readonly #server: Server;
  readonly #host: BuildrootHost;
  #builds = 0;

  /** A cold one finds nothing prepared. */
  static async open({ cold = false } = {}): Promise<AttackBench> {
    const area = await takeArea({ cold });
    await mkdir(area.stateDirectory, { recursive: true });
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://localhost');
      readFile(join(surroundings().distribution, decodeURIComponent(pathname))).then(
        (content) => response.end(content),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new AttackBench(area, cold, server);
  }

  private constructor(area: LaneArea, isCold: boolean, server: Server) {
    this.#area = area;
    this.#isCold = isCold;
    this.#server = server;
    const containers = this.runtime(surroundings().socket);
    this.#host = {
      network: { caBundle: null, proxies: {} },
      log: logger,
      waits: new Waits(systemClock),
      stepLimits: noStepLimits,
      ...containers.ports,
      clock: systemClock,
      site,
      workerId: `attack-${process.pid}`,
      hostname: 'localhost',
      cache: emptyCache(containers.ports, this.directory),
      removals: new BackgroundRemovals(logger),
      localTime: null,
      limits: { pids: 1000 },
      codeLimits: {},
      labels: {},
      extraMounts: [],
      meter: noMeter,
    };
  }

  /** What is a daemon's state directory otherwise. */
  get directory(): string {
    return this.#area.stateDirectory;
  }

  get host(): BuildrootHost {
    return this.#host;
  }

  runtime(socketPath: string): PodmanRuntime {
    const { directory } = this;
    return new PodmanRuntime({
      socketPath,
      clock: systemClock,
      logger,
      ulimits: testUlimits,
      seccompPath: join(directory, 'seccomp.json'),
      places: { workDir: directory, topDir: directory, logDir: directory },
      reconnectMs: 0,
      timeoutMs: 120_000,
      pullMs: 60_000,
    });
  }

  async build(attack: AttackedBuild): Promise<AttackOutcome> {
    this.#builds += 1;
    const buildrootId = this.#builds;
    const work = `task-${buildrootId}`;
    const directory = join(this.directory, work);
    await mkdir(directory);
    const { preamble = '', script } = attack;
    const spec = `BuildArch: noarch\n${preamble}\n%description\nAttacks.\n%build\nset +x +e\n${script}\n:\n%files\n`;
    const source = await makeSrpm(directory, 'hostile', spec);
    await using proxy =
      attack.unseal === undefined
        ? null
        : await UnsealingProxy.open(directory, surroundings().socket, attack.unseal);
    const sealed: BuildrootHost = {
      ...this.#host,
      ...(proxy !== null && this.runtime(proxy.socketPath).ports),
      limits: { ...this.#host.limits, ...attack.limits },
      codeLimits: attack.codeLimits ?? {},
      extraMounts: attack.mounts ?? [],
      site: { ...site, rpmbuildTimeoutSeconds: attack.timeoutSeconds ?? 300 },
    };
    const host = attack.grants === undefined ? sealed : withGrants(sealed, attack.grants);
    const outcome = await this.#run(host, buildrootId, attack, { work, directory, source });
    // They go by way of the proxy.
    await host.removals.idle();
    return outcome;
  }

  async #run(
    host: BuildrootHost,
    buildrootId: number,
    { extra = {}, prepared }: AttackedBuild,
    {
      work,
      directory,
      source,
    }: { readonly work: string; readonly directory: string; readonly source: string },
  ): Promise<AttackOutcome> {
    const { image } = surroundings();
    const { digest } = await this.#host.images.ensure(image, 'never', never);
    await host.images.ensure(image, 'never', never);
    const { port } = this.#server.address() as AddressInfo; // it listens on a port
    const logs = new TextLogs();
    await using cleanup = new AsyncDisposableStack();
    const request: RootRequest = {
      taskId: process.pid,
      buildrootId,
      image,
      imageDigest: digest,
      group: 'build',
      extra,
      repos: [hubRepo([`http://127.0.0.1:${port}/repo`])],
      targetArch: hostArch(),
      rpmTarget: 'noarch',
      personality: null,
      network: 'none',
      directory: { absolute: directory, work },
    };
    try {
      const root = await BuildEnvironment.prepare(
        host,
        request,
        logs,
        rootTask(host, request.taskId, noHistory, cleanup),
        never,
      );
      await root.bringSource(source);
      await prepared?.(directory);
      const results = await root.buildPackage(() => undefined, never);
      return { log: logs.texts.build, results, error: null, directory };
    } catch (error) {
      return { log: logs.texts.build, results: null, error, directory };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isCold) await this.#forget();
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#area[Symbol.asyncDispose]();
  }

  /** Nobody comes who needs what was prepared. */
  async #forget(): Promise<void> {
    const { snapshots } = this.#host.cache;
    const kept = await snapshots.list(never);
    // The younger ones are made of the older ones.
    for (const { key } of kept.toSorted((a, b) => b.createdMs - a.createdMs)) await snapshots.forget(key);
  }
}

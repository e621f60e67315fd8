import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Container } from '../container/manager.ts';
import type { ContainerSpec } from '../container/spec.ts';
import { BuilderError } from '../core/errors.ts';
import type { LogSink } from '../core/log-sink.ts';
import { readRpmHeader } from '../rpm/header.ts';
import { collectFiles } from './collect.ts';
import {
  type BuildrootHost,
  buildContainer,
  diskContainer,
  fetchContainer,
  installContainer,
  packagesDirectory,
  type RootRequest,
  sourceContainer,
} from './containers.ts';
import { BuildrootStepFailed } from './errors.ts';
import { type InstalledPackage, parseInstalled } from './installed-packages.ts';
import { buildUser, planMacros, renderMacros } from './mock-environment.ts';
import { releaseVersion, renderPackageManagerConfig } from './package-manager-config.ts';
import { type PhaseResult, runPhase } from './run-phase.ts';
import {
  buildScript,
  type FetchGoal,
  fetchScript,
  generateRequiresScript,
  installScript,
  noPackageManager,
  rebuildSourceScript,
  requirementsMissing,
  sourceNotInstallable,
  sourceScript,
} from './scripts.ts';

/** The logs that the steps of a root write, besides those that mock's plugins would. */
export interface RootLogs {
  readonly root: LogSink;
  readonly build: LogSink;
  /** A step begins or ends; becomes `state.log` and `mock_output.log`. */
  step(name: string, at: 'start' | 'finish'): Promise<void>;
}

/** mock's `dynamic_buildrequires_max_loops` and `static_buildrequires_max_loops`. */
const generatedRounds = 10;
const staticRounds = 10;

/**
 * A buildroot of kind `tag`: a root that holds packages of the build tag's repo and nothing else, made
 * from nothing in the layer of a container that is started once, at the end, as the build. Fetch and
 * install phases run in the bootstrap image; source phases in a throw-away layer on the root, so that
 * the build finds it untouched.
 *
 * Whatever fails because of package, repo or tag is a `BuildrootStepFailed`. Containers are handed to
 * `cleanup` as they are made; files lie in the task's directory and go with it.
 */
export class TagRoot {
  readonly #host: BuildrootHost;
  readonly #request: RootRequest;
  readonly #logs: RootLogs;
  readonly #build: Container;
  #transactions = 0;
  #runs = 0;
  #installed: readonly InstalledPackage[] = [];

  private constructor(host: BuildrootHost, request: RootRequest, logs: RootLogs, build: Container) {
    this.#host = host;
    this.#request = request;
    this.#logs = logs;
    this.#build = build;
  }

  /** Makes the root with the packages of the request's group. */
  static async prepare(
    host: BuildrootHost,
    request: RootRequest,
    logs: RootLogs,
    cleanup: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<TagRoot> {
    await writeInputs(host, request);
    const build = await host.containers.create(buildContainer(host, request), signal);
    cleanup.use(build);
    const root = new TagRoot(host, request, logs, build);
    await root.#transaction(`@${request.group}`, { kind: 'group', group: request.group }, signal);
    return root;
  }

  /** What the root holds, as its own rpm database says. */
  get installed(): readonly InstalledPackage[] {
    return this.#installed;
  }

  /** Puts the source package at `path` where the scripts find it. */
  async bringSource(path: string): Promise<void> {
    await copyFile(path, this.#path('in/source.src.rpm'));
  }

  /**
   * Installs the BuildRequires of the source package, those included that only show once others are
   * there, and those that %generate_buildrequires asks for.
   */
  async addBuildRequires(signal: AbortSignal): Promise<PreparedSource> {
    let source = await this.#remakeSource(signal);
    for (let round = 1; round <= staticRounds; round += 1) {
      if (!(await this.#requirementsOf(source.path, signal))) break;
      const again = await this.#remakeSource(signal);
      const same = again.requirements === source.requirements;
      source = again;
      if (same) break;
    }
    for (let round = 1; source.generated && round <= generatedRounds; round += 1) {
      const asked = await this.#generatedRequires(signal);
      if (asked === null || !(await this.#requirementsOf(asked, signal))) break;
    }
    return source;
  }

  /** Runs rpmbuild, at last in the root itself. The packages it made lie in the task's `results` directory. */
  async build(source: PreparedSource, signal: AbortSignal): Promise<BuildResults> {
    const { targetArch, personality } = this.#request;
    await writeFile(
      this.#path('in/build.sh'),
      buildScript('source.src.rpm', targetArch, source.generated, personality),
    );
    await this.#runBuild('rpmbuild', signal);
    const binary = await this.#collect(`${buildUser.home}/build/RPMS`, '.rpm', signal);
    if (source.generated) {
      // With generated BuildRequires rpmbuild has written the source package again, to hold them.
      const written = await this.#collect(`${buildUser.home}/build/SRPMS`, '.src.rpm', signal);
      return {
        rpms: binary.files,
        srpms: written.files,
        passedOver: [...binary.passedOver, ...written.passedOver],
      };
    }
    const name = basename(source.path);
    await copyFile(source.path, this.#path(`results/${name}`));
    return { rpms: binary.files, srpms: [name], passedOver: binary.passedOver };
  }

  /** Runs `rpmbuild -bs` in the root: all a rebuildSRPM task wants. */
  async rebuildSource(signal: AbortSignal): Promise<BuildResults> {
    await writeFile(this.#path('in/build.sh'), rebuildSourceScript('source.src.rpm'));
    await this.#runBuild('rpmbuild -bs', signal);
    const made = await this.#collect(`${buildUser.home}/build/SRPMS`, '.src.rpm', signal);
    return { rpms: [], srpms: made.files, passedOver: made.passedOver };
  }

  async #runBuild(title: string, signal: AbortSignal): Promise<void> {
    const tail = new Tail(this.#logs.build);
    const result = await this.#timed(title, () =>
      runPhase(this.#build, tail, this.#host.clock, signal, this.#timeoutMs()),
    );
    await this.#judge(title, result, [0], tail);
  }

  /** Fetch and, when anything is missing, install. True when the root has changed. */
  async #transaction(title: string, goal: FetchGoal, signal: AbortSignal): Promise<boolean> {
    this.#transactions += 1;
    const attempt = this.#transactions;
    const packages = packagesDirectory(attempt);
    const fresh = attempt === 1;
    const { personality } = this.#request;

    await writeFile(
      this.#path(`in/fetch-${attempt}.sh`),
      fetchScript(goal, { packages, releaseVersion: releaseVersion(this.#request.extra), personality }),
    );
    const fetched = await this.#timed(`fetch ${title}`, async () => {
      await using container = await this.#create(
        fetchContainer(this.#host, this.#request, attempt, fresh ? null : this.#build.id),
        signal,
      );
      return await runPhase(container, this.#logs.root, this.#host.clock, signal);
    });
    if (fetched.code === noPackageManager) throw new UnusableImage(this.#request.image);
    failUnless(fetched, `fetch ${title}`, 30);
    const files = (await readdir(this.#path(`fetch/${packages}`))).filter((name) => name.endsWith('.rpm'));
    if (files.length === 0 && !fresh) return false;

    await writeFile(
      this.#path(`in/install-${attempt}.sh`),
      installScript({
        fresh,
        machineId: randomUUID().replaceAll('-', ''),
        localTime: this.#host.localTime,
        personality,
      }),
    );
    await mkdir(this.#path(`out-${attempt}`));
    const installed = await this.#timed(`install ${title}`, async () => {
      await using container = await this.#create(
        installContainer(this.#host, this.#request, attempt, this.#build.id),
        signal,
      );
      return await runPhase(container, this.#logs.root, this.#host.clock, signal);
    });
    failUnless(installed, `install ${title}`, 30);
    this.#installed = parseInstalled(await readFile(this.#path(`out-${attempt}/installed`), 'utf8'));
    await rm(this.#path(`fetch/${packages}`), { recursive: true, force: true });
    return true;
  }

  async #requirementsOf(file: string, signal: AbortSignal): Promise<boolean> {
    this.#runs += 1;
    const name = `requires-${this.#runs}.src.rpm`;
    await copyFile(file, this.#path(`in/${name}`));
    return this.#transaction('build requirements', { kind: 'build-requires', files: [name] }, signal);
  }

  async #remakeSource(signal: AbortSignal): Promise<PreparedSource> {
    const { targetArch, personality } = this.#request;
    const made = await this.#aside(
      'rpmbuild -bs',
      sourceScript('source.src.rpm', targetArch, personality),
      '.src.rpm',
      [0],
      signal,
    );
    const [only, ...others] = made.files;
    if (only === undefined || others.length > 0) {
      throw new BuildrootStepFailed(
        `rpmbuild -bs made ${made.files.length} source packages instead of one and`,
        sourceNotInstallable,
      );
    }
    const path = join(made.directory, only);
    const requires = (await readRpmHeader(path, signal)).dependencies('requires');
    return {
      path,
      generated: requires.some((one) => one.name === 'rpmlib(DynamicBuildRequires)'),
      requirements: requires.map((one) => `${one.name} ${one.flags} ${one.version}`).join('\n'),
    };
  }

  /** The package that lists generated requirements, or null when rpmbuild finds nothing missing. */
  async #generatedRequires(signal: AbortSignal): Promise<string | null> {
    const { targetArch, personality } = this.#request;
    const script = generateRequiresScript('source.src.rpm', targetArch, personality);
    const made = await this.#aside(
      'rpmbuild -br',
      script,
      '.buildreqs.nosrc.rpm',
      [0, requirementsMissing],
      signal,
    );
    const [list] = made.files;
    return list === undefined ? null : join(made.directory, list);
  }

  /** Runs a script as the build user in a throw-away layer on the root and takes what it left in SRPMS. */
  async #aside(
    title: string,
    script: string,
    suffix: string,
    fine: readonly number[],
    signal: AbortSignal,
  ): Promise<{ directory: string; files: readonly string[] }> {
    this.#runs += 1;
    const attempt = this.#runs;
    await writeFile(this.#path(`in/source-${attempt}.sh`), script);
    const directory = this.#path(`source-${attempt}`);
    await mkdir(directory);
    // The layer of an overlay root may lie in memory, so the places a package writes to are lent a disk.
    await using disk = await this.#create(diskContainer(this.#host, this.#request, attempt), signal);
    const tail = new Tail(this.#logs.build);
    const result = await this.#timed(title, async () => {
      await using container = await this.#create(
        sourceContainer(this.#host, this.#request, attempt, this.#build.id, disk.id),
        signal,
      );
      return await runPhase(container, tail, this.#host.clock, signal, this.#timeoutMs());
    });
    if (result.code === sourceNotInstallable) await this.#logs.root.write(tail.text());
    if (result.timedOut || !fine.includes(result.code))
      failUnless(result, title, result.code === sourceNotInstallable ? sourceNotInstallable : 1);
    const collected = await collectFiles(
      await disk.copyOut(`${buildUser.home}/build/SRPMS`, signal),
      directory,
      suffix,
      signal,
    );
    return { directory, files: collected.files };
  }

  /** What a script that unpacks a source package ended with; a package that cannot be unpacked is shown in root.log, too. */
  async #judge(title: string, result: PhaseResult, fine: readonly number[], tail: Tail): Promise<void> {
    if (!result.timedOut && fine.includes(result.code)) return;
    if (result.code === sourceNotInstallable) await this.#logs.root.write(tail.text());
    failUnless(result, title, result.code === sourceNotInstallable ? sourceNotInstallable : 1);
  }

  async #collect(path: string, suffix: string, signal: AbortSignal) {
    const directory = this.#path('results');
    await mkdir(directory, { recursive: true });
    return collectFiles(await this.#build.copyOut(path, signal), directory, suffix, signal);
  }

  async #timed<T>(name: string, run: () => Promise<T>): Promise<T> {
    await this.#logs.step(name, 'start');
    try {
      return await run();
    } finally {
      await this.#logs.step(name, 'finish');
    }
  }

  #timeoutMs(): number {
    return this.#host.site.rpmbuildTimeoutSeconds * 1000;
  }

  #path(below: string): string {
    return join(this.#request.directory.absolute, below);
  }

  #create(spec: ContainerSpec, signal: AbortSignal): Promise<Container> {
    return this.#host.containers.create(spec, signal);
  }
}

/** The source package as made for the target arch, on this host. */
export interface PreparedSource {
  readonly path: string;
  /** It has a %generate_buildrequires section. */
  readonly generated: boolean;
  /** Its requirements as one text, to see whether they have changed. */
  readonly requirements: string;
}

export interface BuildResults {
  readonly rpms: readonly string[];
  readonly srpms: readonly string[];
  /** What the build left in its result directories besides packages, with the reason it stays there. */
  readonly passedOver: readonly string[];
}

/** The bootstrap image cannot make a buildroot: a matter for whoever chose it. */
export class UnusableImage extends BuilderError {
  constructor(image: string) {
    super(
      'unusable-image',
      'request',
      `bootstrap image ${image} has no dnf: the tag's image policy or task_image_default must name an image with dnf and its builddep plugin`,
    );
  }
}

/** Keeps the end of what passes through, for the one case in which another log has to show it, too. */
class Tail implements LogSink {
  readonly #to: LogSink;
  #kept = Buffer.alloc(0);

  constructor(to: LogSink) {
    this.#to = to;
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    await this.#to.write(bytes);
    this.#kept = Buffer.concat([this.#kept, Buffer.from(bytes)]).subarray(-4096);
  }

  text(): Uint8Array {
    return this.#kept;
  }
}

function failUnless(result: PhaseResult, step: string, status: number): void {
  if (result.timedOut)
    throw new BuildrootStepFailed(`${step} took longer than rpmbuild_timeout allows and`, 10);
  if (result.code !== 0) throw new BuildrootStepFailed(`${step} (status ${result.code})`, status);
}

async function writeInputs(host: BuildrootHost, request: RootRequest): Promise<void> {
  const into = join(request.directory.absolute, 'in');
  await mkdir(into, { recursive: true });
  await mkdir(join(request.directory.absolute, 'fetch'), { recursive: true });
  await writeFile(
    join(into, 'dnf.conf'),
    renderPackageManagerConfig(request.repoUrls, host.site, request.extra),
  );
  await writeFile(
    join(into, 'rpmmacros'),
    renderMacros(planMacros(host.site, request.extra, request.targetArch)),
  );
  await writeFile(
    join(into, 'hosts'),
    '127.0.0.1 localhost localhost.localdomain\n::1       localhost localhost.localdomain localhost6 localhost6.localdomain6\n',
  );
  await writeFile(join(into, 'resolv.conf'), '');
}

import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { ContainerError } from '../container/errors.ts';
import type { Container } from '../container/manager.ts';
import { type Collected, collectFiles } from './collect.ts';
import { type BuildrootHost, buildContainer, type RootRequest } from './containers.ts';
import { dnfPlugin, dnfPluginName } from './dnf-plugin.ts';
import { BuildrootStepFailed } from './errors.ts';
import type { InstalledPackage } from './installed-packages.ts';
import { buildUser, planMacros, renderMacros } from './mock-environment.ts';
import { renderPackageManagerConfig } from './package-manager-config.ts';
import { RootGround, type RootLogs } from './root-ground.ts';
import { RootPackages } from './root-packages.ts';
import { buildScript, type HomeState, rebuildSourceScript } from './scripts.ts';
import { type PreparedSource, SourceSteps } from './source-steps.ts';

export interface BuildResults {
  readonly rpms: readonly string[];
  readonly srpms: readonly string[];
  /** What the build left in its result directories besides packages, with the reason it stays there. */
  readonly passedOver: readonly string[];
}

/** mock's `dynamic_buildrequires_max_loops` and `static_buildrequires_max_loops`. */
const generatedRounds = 10;
const staticRounds = 10;
/** mock's status for "No build results found". */
const noResults = 40;

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
  readonly #ground: RootGround;
  readonly #build: Container;
  readonly #packages: RootPackages;
  readonly #source: SourceSteps;
  #requests = 0;
  #home: HomeState = 'empty';

  private constructor(ground: RootGround, build: Container) {
    this.#ground = ground;
    this.#build = build;
    this.#packages = new RootPackages(ground, build.id);
    this.#source = new SourceSteps(ground, build.id);
  }

  /** Makes the root with the packages of the request's group. */
  static async prepare(
    host: BuildrootHost,
    request: RootRequest,
    logs: RootLogs,
    cleanup: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<TagRoot> {
    const ground = new RootGround(host, request, logs, cleanup);
    await writeInputs(ground);
    const build = await ground.create(buildContainer(host, request), signal);
    const root = new TagRoot(ground, build);
    await root.#packages.add(`@${request.group}`, { kind: 'group', group: request.group }, signal);
    return root;
  }

  /** What the root holds, as its own rpm database says. */
  get installed(): readonly InstalledPackage[] {
    return this.#packages.installed;
  }

  /** Puts the source package at `path` where the scripts find it. */
  async bringSource(path: string): Promise<void> {
    await copyFile(path, this.#ground.path('in/source.src.rpm'));
  }

  /**
   * Installs the BuildRequires of the source package, those included that only show once others are
   * there, and those that %generate_buildrequires asks for.
   */
  async addBuildRequires(signal: AbortSignal): Promise<PreparedSource> {
    let source = await this.#source.remake(signal);
    for (let round = 1; round <= staticRounds; round += 1) {
      if (!(await this.#addRequirementsOf(source.path, signal))) break;
      const again = await this.#source.remake(signal);
      const same = again.requirements === source.requirements;
      source = again;
      if (same) break;
    }
    for (let round = 1; source.generated && round <= generatedRounds; round += 1) {
      const asked = await this.#source.generateRequires(signal);
      if (asked === null || !(await this.#addRequirementsOf(asked, signal))) break;
    }
    this.#home = await this.#source.end(signal);
    return source;
  }

  /** Runs rpmbuild, at last in the root itself. The packages it made lie in the task's `results` directory. */
  async build(source: PreparedSource, signal: AbortSignal): Promise<BuildResults> {
    const { rpmTarget, personality } = this.#ground.request;
    await this.#run('rpmbuild', buildScript('source.src.rpm', rpmTarget, personality, this.#home), signal);
    const binary = await this.#collect('RPMS', '.rpm', signal);
    const written = await this.#collect('SRPMS', '.rpm', signal);
    this.#ground.letGo(this.#build);
    const files = new Set([...(binary?.files ?? []), ...(written?.files ?? [])]);
    // With generated BuildRequires rpmbuild has written the source package again, to hold them. Otherwise the
    // one that was made for the target arch counts, but for a build that has removed the place where mock has it.
    if (!source.generated && written !== null) {
      const name = basename(source.path);
      await copyFile(source.path, this.#ground.path(`results/${name}`));
      files.add(name);
    }
    if (files.size === 0) throw new BuildrootStepFailed('No build results found: rpmbuild', noResults);
    return {
      ...byKind([...files]),
      passedOver: [...(binary?.passedOver ?? []), ...(written?.passedOver ?? [])],
    };
  }

  /** Runs `rpmbuild -bs` in the root: all a rebuildSRPM task wants. */
  async rebuildSource(signal: AbortSignal): Promise<BuildResults> {
    await this.#run('rpmbuild -bs', rebuildSourceScript('source.src.rpm'), signal);
    const made = await this.#collect('SRPMS', '.src.rpm', signal);
    this.#ground.letGo(this.#build);
    return { rpms: [], srpms: made?.files ?? [], passedOver: made?.passedOver ?? [] };
  }

  async #addRequirementsOf(file: string, signal: AbortSignal): Promise<boolean> {
    this.#requests += 1;
    const name = `requires-${this.#requests}.src.rpm`;
    await copyFile(file, this.#ground.path(`in/${name}`));
    return this.#packages.add('build requirements', { kind: 'build-requires', files: [name] }, signal);
  }

  async #run(title: string, script: string, signal: AbortSignal): Promise<void> {
    await writeFile(this.#ground.path('in/build.sh'), script);
    await this.#ground.runPackageCode(title, this.#build, { fine: [0] }, signal);
  }

  /** What lies in a result directory of the build; null when it is gone. */
  async #collect(place: 'RPMS' | 'SRPMS', suffix: string, signal: AbortSignal): Promise<Collected | null> {
    const directory = this.#ground.path('results');
    await mkdir(directory, { recursive: true });
    let tar: Readable;
    try {
      tar = await this.#build.copyOut(`${buildUser.home}/build/${place}`, signal);
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'no-such-path') return null;
      throw error;
    }
    const collected = await collectFiles(tar, directory, suffix, signal);
    if (collected.refused.length === 0) return collected;
    const [refusal] = collected.refused;
    await this.#ground.logs.root.write(
      `cannot take from the build's ${place}:\n${collected.refused.join('\n')}\n`,
    );
    throw new BuildrootStepFailed(`cannot take ${refusal}; rpmbuild`, 1);
  }
}

/** As kojid sorts what mock leaves (`builder/kojid BuildArchTask.handler`); a `nosrc.rpm` is no source package to it. */
function byKind(files: readonly string[]): Pick<BuildResults, 'rpms' | 'srpms'> {
  const isSource = (name: string) => name.endsWith('.src.rpm');
  return { rpms: files.filter((name) => !isSource(name)), srpms: files.filter(isSource) };
}

/** The files that all phases find in `/adjutant/in`. */
async function writeInputs(ground: RootGround): Promise<void> {
  const { site } = ground.host;
  const { repoUrls, extra, targetArch } = ground.request;
  await mkdir(ground.path('in/dnf-plugins'), { recursive: true });
  await mkdir(ground.path('fetch'), { recursive: true });
  const files = {
    'dnf.conf': renderPackageManagerConfig(repoUrls, site, extra),
    rpmmacros: renderMacros(planMacros(site, extra, targetArch)),
    [`dnf-plugins/${dnfPluginName}.py`]: dnfPlugin,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(ground.path(`in/${name}`), content);
}

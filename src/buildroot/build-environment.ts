import { mkdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { ContainerId } from '../container/spec.ts';
import { quote } from '../core/bash.ts';
import { makeReadable } from '../core/readable-files.ts';
import { readPackageFacts } from '../rpm/package-reader.ts';
import { BuildrootStepFailed } from './errors.ts';
import type { BuildrootHost } from './host.ts';
import { renderPackageManagerConfig } from './plan/dnf-conf.ts';
import { caBundleFile } from './plan/host-network.ts';
import { planMacros, renderMacros } from './plan/mock-environment.ts';
import type { RootRequest } from './plan/root-request.ts';
import { readSolverSettings } from './plan/tag-settings.ts';
import type { InstalledPackage } from './root/installed-packages.ts';
import type { PreparedRoot } from './root/prepared-root.ts';
import { RootPreparer } from './root/root-preparer.ts';
import { type SourcePackage, SourceSteps, toSourcePackage } from './rpmbuild/build-requires.ts';
import { type Collected, collectFiles } from './rpmbuild/collect-results.ts';
import { ResultsBudget } from './rpmbuild/results-budget.ts';
import {
  buildScript,
  checkedBuildScript,
  rebuildSourceScript,
  repeatCommand,
  requirementsFile,
} from './rpmbuild/rpmbuild-scripts.ts';
import { type EndedCode, Sandbox } from './rpmbuild/sandbox.ts';
import { eligibleManagers } from './solve/package-managers.ts';
import type { SolveRequest } from './solve/root-solver.ts';
import { otherRequirements } from './steps/exit-codes.ts';
import { processesOf } from './steps/parallelism.ts';
import { RootContext, type RootTask } from './steps/root-context.ts';
import type { RootLogs } from './steps/root-logs.ts';
import { codeSteps } from './steps/step-name.ts';

const BuildResults = z.object({
  /** All packages that are no source packages. */
  rpms: z.array(z.string()).readonly(),
  srpms: z.array(z.string()).readonly(),
  /** What the build left in its result directories besides packages, with the reason it stays there. */
  passedOver: z.array(z.string()).readonly(),
});
export type BuildResults = z.infer<typeof BuildResults>;

/** A root that holds what a package wants for its build. */
export interface ReadyToBuild {
  readonly source: SourcePackage;
  /** The package was made again in the root and asks for just this; else the build looks first. */
  readonly remade: boolean;
  /** Has the layer in which %prep has run, where requirements were generated. */
  readonly prepared: ContainerId | null;
}

/** mock's `dynamic_buildrequires_max_loops` and `static_buildrequires_max_loops`. */
const generatedRounds = 10;
const staticRounds = 10;

/** mock's status when a build has succeeded and left nothing. */
const noResults = 40;

/**
 * A buildroot of kind `tag`: a root that holds packages of the build tag's repo and nothing else, taken from a snapshot
 * or made in the bootstrap image. What runs code of the package has a layer on it, which is thrown away with the
 * task.
 *
 * Whatever fails because of package, repo or tag is a `BuildrootStepFailed`. Containers go with the task's clean-up; files
 * lie in the task's directory and go with it.
 */
export class BuildEnvironment {
  readonly #context: RootContext;
  readonly #packages: RootPreparer;
  readonly #code: Sandbox;
  readonly #steps: SourceSteps;
  #root: PreparedRoot;
  #requests = 0;
  #builds = 0;

  private constructor(context: RootContext, packages: RootPreparer, root: PreparedRoot) {
    this.#context = context;
    this.#packages = packages;
    this.#code = new Sandbox(context);
    this.#steps = new SourceSteps(context, this.#code);
    this.#root = root;
  }

  /** Makes the root with the packages of the request's group. */
  static async prepare(
    host: BuildrootHost,
    request: RootRequest,
    logs: RootLogs,
    task: RootTask,
    signal: AbortSignal,
  ): Promise<BuildEnvironment> {
    const context = new RootContext(host, request, logs, task);
    await writeInputs(context);
    const packages = new RootPreparer(context);
    return new BuildEnvironment(
      context,
      packages,
      await packages.prepare(null, firstRequest(request), signal),
    );
  }

  /** What the root holds, as its own rpm database says. */
  get installed(): readonly InstalledPackage[] {
    return this.#root.installed;
  }

  /** Puts the source package at `path` where the scripts find it. */
  async bringSource(path: string): Promise<void> {
    await this.#context.copy(path, 'in/source.src.rpm');
  }

  /**
   * Adds the BuildRequires and builds. `complete` is called whenever the root holds all that the build needs: once, or
   * again when the package turned out to want something else.
   */
  async buildPackage(complete: () => void, signal: AbortSignal): Promise<BuildResults> {
    let ready = await this.addBuildRequires(signal);
    for (;;) {
      complete();
      const results = await this.build(ready, signal);
      if (results !== null) return results;
      ready = await this.addRemadeRequires(signal);
    }
  }

  /**
   * Adds what the source package's header asks for. A build after it checks that the package still asks for the same
   * when it is made again in the root, as mock does before it looks; where it generates requirements, that is done here.
   */
  async addBuildRequires(signal: AbortSignal): Promise<ReadyToBuild> {
    const path = this.#context.path('in/source.src.rpm');
    const source = toSourcePackage(path, await readPackageFacts(path, signal));
    if (source.generated) return this.addRemadeRequires(signal);
    await this.#addRequirementsOf(source, signal);
    return { source, remade: false, prepared: null };
  }

  /**
   * Adds the BuildRequires of the source package as it is when made again in the root, those included that only show
   * once others are there, and those that %generate_buildrequires asks for.
   */
  async addRemadeRequires(signal: AbortSignal): Promise<ReadyToBuild> {
    let source = await this.#steps.remake(this.#root, signal);
    for (let round = 1; round <= staticRounds; round += 1) {
      if (!(await this.#addRequirementsOf(source, signal))) break;
      const again = await this.#steps.remake(this.#root, signal);
      const same = again.requirements === source.requirements;
      source = again;
      if (same) break;
    }
    for (let round = 1; source.generated && round <= generatedRounds; round += 1) {
      const asked = await this.#steps.generateRequires(this.#root, signal);
      if (!(await this.#addRequirementsOf(asked, signal))) break;
    }
    return { source, remade: true, prepared: this.#steps.end() };
  }

  /**
   * Runs rpmbuild. The packages it made lie in the task's `results` directory. Null when the package, made again in the
   * root, asks for something else than was added: `addRemadeRequires` does that.
   */
  async build(ready: ReadyToBuild, signal: AbortSignal): Promise<BuildResults | null> {
    this.#builds += 1;
    const { history } = this.#context;
    return history.once('results:build-package', BuildResults.nullable(), () => this.#build(ready, signal));
  }

  async #build(
    { source, remade, prepared }: ReadyToBuild,
    signal: AbortSignal,
  ): Promise<BuildResults | null> {
    const { rpmTarget, personality } = this.#context.request;
    if (!remade) await this.#context.write(`in/${requirementsFile}`, `${source.requirements}\n`);
    const step = {
      name: codeSteps.buildPackage,
      phase: 'build',
      attempt: this.#builds,
      script: remade
        ? buildScript('source.src.rpm', rpmTarget, personality, prepared === null ? 'empty' : 'prepared')
        : checkedBuildScript('source.src.rpm', rpmTarget, personality),
      repeat: repeatCommand(`-bb --target ${quote(rpmTarget)}`, personality),
      verdict: { fine: remade ? [0] : [0, otherRequirements] },
      ...(prepared !== null && { after: prepared }),
    };
    const ran = await this.#code.run(this.#root, step, signal);
    if (ran.code === otherRequirements) {
      ran.remove();
      return null;
    }
    const [binary, written] = await this.#collectBoth(ran, signal);
    ran.remove();
    const files = new Set([...(binary?.files ?? []), ...(written?.files ?? [])]);
    // With generated BuildRequires rpmbuild has written the source package again, to hold them. Otherwise the
    // one that was made for the target arch counts, but for a build that has removed the place where mock has it.
    if (remade && !source.generated && written !== null) {
      const name = basename(source.path);
      await this.#context.copy(source.path, `results/${name}`);
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
    const script = rebuildSourceScript('source.src.rpm');
    const repeat = repeatCommand('-bs', null);
    const step = {
      name: codeSteps.buildSource,
      phase: 'build',
      attempt: 1,
      script,
      repeat,
      verdict: { fine: [0] },
    };
    return this.#context.history.once('results:build-source', BuildResults, async () => {
      const ran = await this.#code.run(this.#root, step, signal);
      const budget = this.#budget(step.name.title);
      const made = await this.#collect(ran.copyOut('SRPMS', signal), 'SRPMS', '.src.rpm', budget, signal);
      ran.remove();
      return { rpms: [], srpms: made?.files ?? [], passedOver: made?.passedOver ?? [] };
    });
  }

  /** True when the root is another one now. */
  async #addRequirementsOf(source: SourcePackage, signal: AbortSignal): Promise<boolean> {
    this.#requests += 1;
    const file = `requires-${this.#requests}.src.rpm`;
    await this.#context.copy(source.path, `in/${file}`);
    const goal = { kind: 'build-requires', file } as const;
    const before = this.#root;
    this.#root = await this.#packages.prepare(
      before,
      { title: 'build requirements', goal, text: source.requirements },
      signal,
    );
    return this.#root !== before;
  }

  /** What lies in RPMS and SRPMS. The engine takes its time before it gives anything, so both are asked for at once. */
  async #collectBoth(
    ran: EndedCode,
    signal: AbortSignal,
  ): Promise<readonly [Collected | null, Collected | null]> {
    const written = ran.copyOut('SRPMS', signal);
    // It is awaited below; what happens to the other one first is told first.
    written.catch(() => undefined);
    try {
      const budget = this.#budget('rpmbuild');
      const binary = await this.#collect(ran.copyOut('RPMS', signal), 'RPMS', '.rpm', budget, signal);
      return [binary, await this.#collect(written, 'SRPMS', '.rpm', budget, signal)];
    } catch (error) {
      written.then(
        (tar) => tar?.destroy(),
        () => undefined,
      );
      throw error;
    }
  }

  #budget(title: string): ResultsBudget {
    return new ResultsBudget(title, this.#context.host.codeLimits.diskBytes);
  }

  /** Takes the packages from a result directory of the build; null when it is gone. */
  async #collect(
    copied: Promise<Readable | null>,
    place: 'RPMS' | 'SRPMS',
    suffix: string,
    budget: ResultsBudget,
    signal: AbortSignal,
  ): Promise<Collected | null> {
    const directory = this.#context.path('results');
    await mkdir(directory, { recursive: true });
    const tar = await copied;
    if (tar === null) return null;
    const collected = await collectFiles(tar, directory, suffix, budget, signal);
    if (collected.refused.length === 0) return collected;
    const [refusal] = collected.refused;
    await this.#context.logs.root.write(
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

/** What a root consists of before anything is known of the package. */
function firstRequest({ group, packages: names }: RootRequest): SolveRequest {
  if (names === undefined) return { title: `@${group}`, goal: { kind: 'group', group }, text: group };
  return { title: names.join(' '), goal: { kind: 'packages', names }, text: names.join(' ') };
}

/** The files that all phases find in `/adjutant/in`. */
async function writeInputs(context: RootContext): Promise<void> {
  const { site, network } = context.host;
  const { repos, extra, targetArch } = context.request;
  await mkdir(context.path('solve'), { recursive: true });
  const managers = eligibleManagers(readSolverSettings(extra).packageManager);
  const files: Readonly<Record<string, string>> = {
    'dnf.conf': renderPackageManagerConfig(repos, site, extra),
    rpmmacros: renderMacros(planMacros(site, extra, targetArch, processesOf(context.host))),
    ...(network.caBundle === null ? {} : { [caBundleFile]: network.caBundle }),
    ...Object.assign({}, ...managers.map((manager) => manager.files)),
  };
  for (const name of Object.keys(files)) await makeReadable(dirname(context.path(`in/${name}`)));
  // Only root in a solve phase reads it: URLs of repos and proxy may hold logins, and package code sees the directory.
  const modes: Readonly<Record<string, number>> = { 'dnf.conf': 0o600 };
  for (const [name, content] of Object.entries(files))
    await context.write(`in/${name}`, content, modes[name]);
}

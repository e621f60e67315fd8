import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BuildrootStepFailed } from '../../buildroot/errors.ts';
import type { BuildrootHost } from '../../buildroot/host.ts';
import type { RuntimeInfo } from '../../container/step-runtime.ts';
import type { Logger } from '../../core/logger.ts';
import { readPackageFacts } from '../../rpm/package-reader.ts';
import type { BuildWatcher } from '../../standalone/build-locally.ts';
import { type RebuildOrder, type Rebuilt, rebuild } from '../../standalone/rebuild/rebuild.ts';
import { type Finding, ok } from '../finding.ts';
import { runTrial, type TrialResult, trialSpec } from '../trial.ts';
import {
  judgeBuilds,
  judgeCleanUp,
  judgeFailure,
  judgeLimitTrials,
  partOfStep,
  type TrialBuilt,
  type TrialHost,
  type TrialPart,
  type TriedLimit,
  trialName,
} from './judge-trial.ts';
import { type PackedImage, packScript, parsePacked, readPackedFiles } from './pack-image.ts';
import { goodScript, repoPackages, sourcePackage, trialGroup, writeRepo } from './trial-repo.ts';
import { beginLine, endLine, limitTrials } from './trial-scripts.ts';

/** Where a trial build takes place: an area as `rebuild` has it. */
export interface TrialArea {
  readonly host: BuildrootHost;
  readonly directory: string;
  /** For the names of containers. */
  readonly id: number;
  openWork(): Promise<{ readonly absolute: string; readonly work: string }>;
  /** What was logged as a warning or worse, a line each. */
  warnings(): readonly string[];
  readonly log: Logger;
  /** Removes all that was made, and says what could not be. */
  close(): Promise<Parameters<typeof judgeCleanUp>[0]>;
}

export interface TrialOrder {
  readonly info: RuntimeInfo;
  readonly image: { readonly name: string; readonly digest: string };
  readonly arch: string;
  readonly umask: number;
  /** The kernel's boot id of this host. */
  readonly bootId: string;
}

/** A part has failed; what comes after it cannot be tried. */
class PartFailed extends Error {
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(finding.found);
    this.finding = finding;
  }
}

/**
 * Builds a trial package on this host, with the code that builds those of tasks: from a repo of packages that are
 * made of the bootstrap image's own programs, twice, and three more times to run into limits. A finding for each part, the
 * last one about what is left; after a part that has failed only that one comes. Needs no network.
 */
export async function* runTrialBuild(
  open: (signal: AbortSignal) => Promise<TrialArea>,
  order: TrialOrder,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  const area = await open(signal);
  try {
    yield* new TrialBuild(area, order, signal).run();
  } catch (error) {
    if (!(error instanceof PartFailed)) throw error;
    yield error.finding;
  } finally {
    yield judgeCleanUp(await area.close());
  }
}

class TrialBuild {
  readonly #area: TrialArea;
  readonly #order: TrialOrder;
  readonly #signal: AbortSignal;
  readonly #host: TrialHost;
  #builds = 0;

  constructor(area: TrialArea, order: TrialOrder, signal: AbortSignal) {
    this.#area = area;
    this.#order = order;
    this.#signal = signal;
    const { info, image, umask } = order;
    this.#host = { info, umask, image: image.name, directory: area.directory };
  }

  async *run(): AsyncGenerator<Finding> {
    const work = await this.#area.openWork();
    const packed = await this.#pack(work);
    yield ok(trialName('work area'), `containers see the files of ${this.#area.directory}`);
    const hasRpmbuild = !packed.lacks.includes('rpmbuild');
    const repo = join(work.absolute, 'repo');
    const counted = await this.#makeRepo(work, hasRpmbuild);
    yield ok(trialName('packages'), `a repo of ${counted} made of the programs of ${this.#order.image.name}`);

    const source = async (name: string, script: string) => {
      const path = join(work.absolute, `${name}.src.rpm`);
      await writeFile(path, await sourcePackage(script, hasRpmbuild, this.#order.arch));
      return { path, repo };
    };
    const good = await source('good', goodScript);
    const first = await this.#build(good);
    const limits = await Promise.all(limitTrials.map((trial) => source(trial.limit, trial.script)));
    const again = this.#build(good);
    const tried = limitTrials.map((trial, index) => this.#tryLimit(trial, limits[index] ?? good));
    // None may be at work when the area is closed.
    await Promise.allSettled([again, ...tried]);
    const second = await again;
    const tools = { rpm: packed.rpm, hasRpmbuild, hasUseradd: !packed.lacks.includes('useradd') };
    yield* judgeBuilds(first, second, tools);
    yield judgeLimitTrials(await Promise.all(tried), this.#order.info);
  }

  /** Runs the script that packs the image's programs, and with it tries whether containers see the work area. */
  async #pack(work: Work): Promise<PackedImage> {
    const token = randomUUID();
    const { status, output } = await this.#step('work area', work, 'pack', packScript(token));
    const packed = parsePacked(output);
    if (packed.token !== token) {
      const where =
        packed.bootId === null || packed.bootId === this.#order.bootId ? '' : ' (it runs on another machine)';
      throw this.#failed('work area', new Error(`the engine sees other files${where}`), output);
    }
    if (status.code !== 0)
      throw this.#failed('packages', new Error(`packing programs ended with ${status.code}`), output);
    return packed;
  }

  async #makeRepo(work: Work, hasRpmbuild: boolean): Promise<string> {
    const files = await readPackedFiles(join(work.absolute, 'out/files.tar'));
    const packages = repoPackages(files, hasRpmbuild);
    await writeRepo(join(work.absolute, 'repo'), packages);
    const script = 'exec 2>&1; createrepo_c --quiet --groupfile comps.xml /adjutant/repo';
    const { status, output } = await this.#step('packages', work, 'repo', script);
    if (status.code !== 0)
      throw this.#failed('packages', new Error(`createrepo_c ended with ${status.code}`), output);
    return `${packages.length} packages with ${files.length} files`;
  }

  /** Runs a script in the bootstrap image, from a file of the work area. */
  async #step(part: TrialPart, work: Work, name: string, script: string): Promise<TrialResult> {
    for (const place of ['in', 'out', 'repo']) await mkdir(join(work.absolute, place), { recursive: true });
    const path = join(work.absolute, 'in', `${name}.sh`);
    await writeFile(path, script);
    const { host } = this.#area;
    const plain = trialSpec(this.#order.image.name, name, ['/bin/bash', `/adjutant/in/${name}.sh`]);
    const mount = (place: string, readOnly: boolean) =>
      ({ kind: 'work', path: join(work.work, place), target: `/adjutant/${place}`, readOnly }) as const;
    const spec = {
      ...plain,
      mounts: [mount('in', true), mount('out', false), mount('repo', false)],
      limits: host.limits,
      owner: { ...plain.owner, workerId: host.workerId },
      labels: host.labels,
    };
    try {
      return await runTrial(host.runtime, spec, this.#signal);
    } catch (error) {
      this.#signal.throwIfAborted();
      throw this.#failed(part, error, '');
    }
  }

  async #build(source: Source): Promise<TrialBuilt> {
    const seen = new Seen();
    const done = await this.#rebuild(source, seen, this.#area.host);
    if (done.kind === 'failed') throw this.#failedBuild(done.failure, seen, done.lastLines);
    const binary = done.packages.filter((each) => !each.endsWith('.src.rpm'));
    return {
      steps: seen.steps,
      fromSnapshot: seen.fromSnapshot,
      packages: done.packages.map((each) => basename(each)),
      problem: await this.#problemOf(binary),
      outputComplete: [beginLine, endLine].every((line) => seen.build.includes(line)),
    };
  }

  async #problemOf(packages: readonly string[]): Promise<string | null> {
    const [path] = packages;
    if (path === undefined) return 'the build has left no package';
    const { name } = await readPackageFacts(path, this.#signal);
    return name.startsWith('adjutant-trial') ? null : `${basename(path)} is ${name}`;
  }

  async #tryLimit(trial: (typeof limitTrials)[number], source: Source): Promise<TriedLimit> {
    const { limit, what, limits } = trial;
    const host = { ...this.#area.host, codeLimits: { ...this.#area.host.codeLimits, ...limits } };
    const seen = new Seen();
    const done = await this.#rebuild(source, seen, host);
    if (done.kind === 'built') return { limit, what, named: null };
    const { failure } = done;
    if (partOfStep(failure.step) !== 'rpmbuild') throw this.#failedBuild(failure, seen, done.lastLines);
    return { limit, what, named: failure.limit };
  }

  async #rebuild({ path, repo }: Source, seen: Seen, host: BuildrootHost): Promise<Rebuilt> {
    this.#builds += 1;
    const id = this.#area.id * 10 + this.#builds;
    const directory = await this.#area.openWork();
    const result = join(directory.absolute, 'result');
    const { image, arch } = this.#order;
    const order: RebuildOrder = {
      source: path,
      repos: [{ id: 'build', urls: [pathToFileURL(repo).href] }],
      group: trialGroup,
      arch,
      extra: {},
      image: { image: image.name, pull: 'never', because: 'doctor' },
      imageDigest: image.digest,
      result,
    };
    try {
      return await rebuild(
        { host, id, directory, log: this.#area.log, granted: [] },
        order,
        seen.watcher(host.clock),
        this.#signal,
      );
    } catch (error) {
      this.#signal.throwIfAborted();
      throw this.#failed(seen.part, error, seen.part === 'rpmbuild' ? seen.build : seen.root);
    }
  }

  #failedBuild(failure: BuildrootStepFailed, seen: Seen, lastLines: readonly string[]): PartFailed {
    const part = partOfStep(failure.step);
    const log = part === 'rpmbuild' ? seen.build : seen.root;
    return this.#failed(part, failure, log.trim() === '' ? lastLines.join('\n') : log);
  }

  #failed(part: TrialPart, error: unknown, output: string): PartFailed {
    const lines = [...lastLines(output), ...this.#area.warnings()];
    return new PartFailed(judgeFailure({ part, error, lines }, this.#host));
  }
}

interface Work {
  readonly absolute: string;
  readonly work: string;
}

interface Source {
  readonly path: string;
  readonly repo: string;
}

const shownLines = 8;

/** The end of an output without what says nothing. */
function lastLines(output: string): readonly string[] {
  return output
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .slice(-shownLines);
}

/** What was seen of a build. */
class Seen {
  root = '';
  build = '';
  part: TrialPart = 'solve';
  readonly fromSnapshot: string[] = [];
  readonly steps: { readonly name: string; readonly startedMs: number; tookMs: number }[] = [];

  watcher(clock: { uptime(): number }): BuildWatcher {
    return {
      step: (name, at) => {
        if (at === 'start') {
          this.part = partOfStep(name);
          this.steps.push({ name, tookMs: 0, startedMs: clock.uptime() });
        } else {
          const step = this.steps.findLast((each) => each.name === name);
          if (step !== undefined) step.tookMs = clock.uptime() - step.startedMs;
        }
      },
      output: (log, bytes) => {
        this[log] += typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8');
      },
      progress: (news) => {
        if (news.kind === 'from-snapshot') this.fromSnapshot.push(news.title);
      },
    };
  }
}

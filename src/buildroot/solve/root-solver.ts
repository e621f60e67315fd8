import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { digestOf, Solution } from '../../cache/solver-cache.ts';
import type { KeptRoot } from '../../container/spec.ts';
import { readLeftFile } from '../../core/read-left-file.ts';
import { BuildrootStepFailed } from '../errors.ts';
import { renderPackageManagerConfig } from '../plan/dnf-conf.ts';
import { urlsOf } from '../plan/repos.ts';
import { readSolverSettings } from '../plan/tag-settings.ts';
import { solveContainer } from '../steps/container-specs.ts';
import { noPackageManager } from '../steps/exit-codes.ts';
import type { RootContext } from '../steps/root-context.ts';
import { solveStep } from '../steps/step-name.ts';
import { runBootstrap, twice } from '../steps/step-runner.ts';
import { packageStepTitle } from '../steps/step-titles.ts';
import { fromKept, toKept } from './dnf-cache-paths.ts';
import { lacksPackageManager } from './errors.ts';
import { localRepos } from './local-repos.ts';
import type { SolveGoal } from './package-manager.ts';
import { eligibleManagers } from './package-managers.ts';
import { questionKey } from './question-key.ts';
import { describeRepoFailure } from './repo-failure.ts';
import { readRepoStates, usedRepoStates } from './repo-state.ts';
import { solveScript } from './solve-script.ts';

/** A solution of 100,000 packages has some 40 MB. */
const mostAnswerBytes = 64 * 2 ** 20;

/** What a root is to hold, and a text that is the same where that is. */
export interface SolveRequest {
  readonly title: string;
  readonly goal: SolveGoal;
  readonly text: string;
}

/** How many containers of each kind the task has made: their numbers. */
export const ContainerCounts = z.object({ solves: z.int(), roots: z.int(), installs: z.int() });
export type ContainerCounts = z.infer<typeof ContainerCounts>;

/** Finds out which packages are needed for what is asked for: from answers given before, else with the package manager of the bootstrap image. */
export class RootSolver {
  readonly #context: RootContext;
  readonly #made: ContainerCounts;
  #repoState: Promise<string | null> | null = null;

  /** Its runs are counted in `made`. */
  constructor(context: RootContext, made: ContainerCounts) {
    this.#context = context;
    this.#made = made;
  }

  /**
   * `parent` is the root that is asked about. Throws `BuildrootStepFailed` with status 30, `UnusableImage`, and `BuildrootUnsupported` where the image has not the package
   * manager that the tag asks for.
   */
  async solve(
    wanted: SolveRequest,
    parent: { readonly key: string; readonly root: KeptRoot } | null,
    signal: AbortSignal,
  ): Promise<Solution> {
    const { host, logs } = this.#context;
    const key = await this.#question(wanted, parent?.key ?? null, signal);
    const known = key === null ? null : await host.cache.solutions.find(key);
    if (known !== null) {
      await logs.root.write(`${wanted.title}: the solver's answer for these packages is known\n`);
      return known;
    }
    const solution = await twice(this.#context, packageStepTitle('solve', wanted.title), (isAgain) =>
      this.#run(wanted, parent?.root ?? null, isAgain, signal),
    );
    if (key !== null && (await this.#usedWhatWasAsked())) await host.cache.solutions.keep(key, solution);
    return solution;
  }

  /** Null when the repo cannot be told from others. */
  async #question(wanted: SolveRequest, parent: string | null, signal: AbortSignal): Promise<string | null> {
    const { host, request } = this.#context;
    this.#repoState ??= readRepoStates(request.repos, host.cache.urls, signal);
    const repoState = await this.#repoState;
    if (repoState === null) return null;
    const { releaseVersion, packageManager } = readSolverSettings(request.extra);
    const settings = [
      renderPackageManagerConfig(
        request.repos.map(({ id }) => ({ id, urls: [] })),
        host.site,
        request.extra,
      ),
      releaseVersion,
      ...eligibleManagers(packageManager).flatMap(({ name, files }) => [name, ...Object.values(files)]),
    ];
    return questionKey({ repoState, parent, goal: [wanted.goal.kind, wanted.text], settings }, request);
  }

  async #run(
    wanted: SolveRequest,
    parent: KeptRoot | null,
    isAgain: boolean,
    signal: AbortSignal,
  ): Promise<Solution> {
    this.#made.solves += 1;
    const attempt = this.#made.solves;
    const { host, request } = this.#context;
    const { releaseVersion, packageManager } = readSolverSettings(request.extra);
    const settings = { releaseVersion, packageManager, personality: request.personality };
    await this.#context.write(`in/solve-${attempt}.sh`, solveScript(wanted.goal, settings));
    const answer = this.#context.path('solve/solution.json');
    const step = solveStep(wanted);
    // One that a previous run has begun is at work there, or has left its answer.
    const isBegun = this.#context.history.isBegun(step.id);
    if (!isBegun) await rm(answer, { force: true });
    // One that was killed may have left half of it.
    if (isAgain && !isBegun) await rm(this.#context.path('solve/cache'), { recursive: true, force: true });
    const metadata = (attempt === 1 || isAgain) && !isBegun ? await this.#bringMetadata(signal) : 'there';
    const spec = solveContainer(host, request, attempt, parent, await localRepos(urlsOf(request.repos)));
    const { code, end } = await runBootstrap(this.#context, step, spec, signal);
    if (code === noPackageManager) throw lacksPackageManager(request.image, packageManager);
    if (code !== 0) {
      const reason = describeRepoFailure(end, request.repos);
      if (reason !== null) await this.#context.logs.root.write(`${reason}\n`);
      throw new BuildrootStepFailed(`${step.title} (status ${code})`, 30, reason === null ? {} : { reason });
    }
    if (metadata === 'fetched' && (await this.#usedWhatWasAsked())) await this.#keepMetadata(signal);
    return Solution.parse(JSON.parse((await readLeftFile(answer, mostAnswerBytes)).toString('utf8')));
  }

  /** Whether the solver has read the metadata that the question names: a server may tell us of others than it gives the solver. */
  async #usedWhatWasAsked(): Promise<boolean> {
    const used = await usedRepoStates(this.#context.request.repos, this.#context.path('solve/cache'));
    return used !== null && used === (await this.#repoState);
  }

  /** Gives the solver what it made of the same repo's metadata for another task. */
  async #bringMetadata(signal: AbortSignal): Promise<'there' | 'fetched'> {
    const key = await this.#metadataKey();
    if (key === null) return 'fetched';
    const { metadata } = this.#context.host.cache;
    const { repos } = this.#context.request;
    const place = this.#context.path('solve/cache');
    return (await metadata.copyTo(key, place, (path) => fromKept(path, repos), signal)) ? 'there' : 'fetched';
  }

  async #keepMetadata(signal: AbortSignal): Promise<void> {
    const key = await this.#metadataKey();
    if (key === null) return;
    await this.#context.host.cache.metadata.keep(key, this.#context.path('solve/cache'), toKept, signal);
  }

  /** It depends on the packages of the repo and on the solver, which comes with the image. */
  async #metadataKey(): Promise<string | null> {
    const repoState = await this.#repoState;
    const { imageDigest, extra } = this.#context.request;
    return repoState === null
      ? null
      : digestOf(repoState, imageDigest, readSolverSettings(extra).packageManager);
  }
}

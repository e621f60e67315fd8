import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { PackageUnavailable, packagePath } from '../../cache/package-cache.ts';
import { BadLocation, packageUrl } from '../../cache/repo-urls.ts';
import { inboundOf, Solution } from '../../cache/solver-cache.ts';
import { ContainerError } from '../../container/errors.ts';
import type { Draft } from '../../container/root-store.ts';
import type { KeptRoot } from '../../container/spec.ts';
import { describeError } from '../../core/errors.ts';
import { withoutLogins } from '../../core/redact.ts';
import type { TaskWaits } from '../../core/waits.ts';
import { BuildrootStepFailed } from '../errors.ts';
import { UnusableImage } from '../solve/errors.ts';
import { originsOf } from '../solve/repo-places.ts';
import { ContainerCounts, RootSolver, type SolveRequest } from '../solve/root-solver.ts';
import { renderTransaction, transactionProgram } from '../solve/rpm-transaction.ts';
import { cachedPackages, installContainer, rootDraft } from '../steps/container-specs.ts';
import { damagedPackage, noRpmBindings } from '../steps/exit-codes.ts';
import type { RootContext } from '../steps/root-context.ts';
import { installStep } from '../steps/step-name.ts';
import { runBootstrap, twice } from '../steps/step-runner.ts';
import { packageStepTitle } from '../steps/step-titles.ts';
import { type InstallInputs, installScript } from './install-script.ts';
import { parseInstalled } from './installed-packages.ts';
import { type PreparedRoot, rootKey } from './prepared-root.ts';
import { layOutPackages, listRoot } from './root-listing.ts';

const Solved = z.object({ solution: Solution, made: ContainerCounts });

const MadeRoot = z.object({ listing: z.string(), made: ContainerCounts });

const Kept = z.object({ kind: z.literal('kept'), id: z.string() }) satisfies z.ZodType<KeptRoot>;
const FoundRoot = z.object({ root: Kept, listing: z.string(), made: ContainerCounts });

/**
 * Prepares roots: solves what is asked for, and takes the snapshot of a root with these packages, or makes the root
 * and keeps it as one.
 */
export class RootPreparer {
  readonly #context: RootContext;
  readonly #solver: RootSolver;
  readonly #waits: TaskWaits;
  readonly #made: ContainerCounts = { solves: 0, roots: 0, installs: 0 };

  constructor(context: RootContext) {
    this.#context = context;
    this.#waits = context.host.waits.of(context.request.taskId);
    this.#solver = new RootSolver(context, this.#made);
  }

  /**
   * The root `parent`, or an empty one, with what is asked for added and what is in its way removed; `parent` itself when
   * nothing has to be done. Throws `BuildrootStepFailed` with status 30, `UnusableImage`, `BuildrootUnsupported`.
   */
  async prepare(
    parent: PreparedRoot | null,
    wanted: SolveRequest,
    signal: AbortSignal,
  ): Promise<PreparedRoot> {
    const { host, request, history } = this.#context;
    const { snapshots } = host.cache;
    const { solution, ...solved } = await history.once(`solution:${wanted.goal.kind}`, Solved, async () => {
      const answer = await this.#solver.solve(wanted, parent, signal);
      return { solution: answer, made: { ...this.#made } };
    });
    Object.assign(this.#made, solved.made);
    if (parent === null && inboundOf(solution).length === 0) throw await this.#nothingFor(wanted);
    if (parent !== null && solution.elements.length === 0) return parent;
    const key = rootKey(parent?.key ?? null, solution, request, host.localTime);
    // Nothing the task builds on may be collected before its end.
    this.#context.hold(snapshots.hold(key));
    const { root, listing, made } = await history.once(`root:${wanted.goal.kind}`, FoundRoot, async () => {
      const found = await this.#findOrMake(key, parent, solution, wanted, signal);
      return { ...found, made: { ...this.#made } };
    });
    Object.assign(this.#made, made);
    return { key, installed: parseInstalled(listing), root };
  }

  /** dnf takes a group for installed of which the repo has no package at all. */
  async #nothingFor(wanted: SolveRequest): Promise<BuildrootStepFailed> {
    const reason =
      'nothing of it is in the repo: correct the group, or tag its packages and make the repo again';
    await this.#context.logs.root.write(`${wanted.title}: ${reason}\n`);
    return new BuildrootStepFailed(packageStepTitle('solve', wanted.title), 30, { reason });
  }

  /** The root of the snapshot, and what is in it. */
  async #findOrMake(
    key: string,
    parent: PreparedRoot | null,
    solution: Solution,
    wanted: SolveRequest,
    signal: AbortSignal,
  ): Promise<{ readonly root: KeptRoot; readonly listing: string }> {
    const { host, request, logs, history } = this.#context;
    const { snapshots } = host.cache;
    for (;;) {
      signal.throwIfAborted();
      // A task that has begun to make it resumes that, even when another has made it meanwhile.
      const isMaker = history.isBegun(`make-root:${wanted.goal.kind}`);
      const found = isMaker ? null : await snapshots.find(key, signal);
      if (!isMaker)
        host.meter.count(`koji_adjutant_snapshot_${found === null ? 'misses' : 'hits'}_total`, {});
      if (found !== null) {
        const { length } = parseInstalled(found.listing);
        await logs.root.write(
          `${wanted.title}: taken from snapshot ${key.slice(0, 12)} with ${length} packages\n`,
        );
        logs.progress?.({ kind: 'from-snapshot', title: wanted.title, packages: length });
        return { root: found.root, listing: found.listing };
      }
      const make = () => this.#makeAndKeep(key, parent, solution, wanted, signal);
      const over = Promise.withResolvers<void>();
      const made = isMaker
        ? await make()
        : await snapshots
            .alone(
              key,
              make,
              async (other) => {
                void this.#waits.during(
                  `the same root (${wanted.title}), made by ${other}`,
                  () => over.promise,
                );
                await logs.root.write(
                  `${wanted.title}: another task is preparing the same root (snapshot ${key.slice(0, 12)}); waiting for it\n`,
                );
              },
              signal,
              `task ${request.taskId}`,
            )
            .finally(over.resolve);
      if (made !== null) return made;
    }
  }

  async #makeAndKeep(
    key: string,
    parent: PreparedRoot | null,
    solution: Solution,
    wanted: SolveRequest,
    signal: AbortSignal,
  ): Promise<{ readonly root: KeptRoot; readonly listing: string }> {
    const { host, request, history } = this.#context;
    const { snapshots } = host.cache;
    let base: Draft | null = null;
    const { listing, made } = await history.once(`make-root:${wanted.goal.kind}`, MadeRoot, async () => {
      const root = await this.#make(parent, solution, wanted, signal);
      base = root.base;
      return { listing: root.listing, made: { ...this.#made } };
    });
    Object.assign(this.#made, made);
    // A previous run has made it, and may have kept it.
    const kept = base === null ? await snapshots.find(key, signal) : null;
    if (kept !== null) return { root: kept.root, listing };
    base ??= await this.#context.recoverRoot(
      rootDraft(host, request, made.roots, parent?.root ?? null),
      signal,
    );
    if (base === null)
      throw new ContainerError(
        'no-such-container',
        `the root with ${wanted.title} was lost before it was kept`,
      );
    const startedMs = host.clock.uptime();
    const title = `${wanted.title}, arch ${request.targetArch}`;
    const { root: draft } = base;
    const root = await this.#waits.during(`the commit of snapshot ${key.slice(0, 12)}`, () =>
      snapshots.keep({ key, listing, title }, draft, signal),
    );
    host.meter.count('koji_adjutant_snapshots_made_total', {});
    const tookMs = host.clock.uptime() - startedMs;
    host.meter.observe('koji_adjutant_phase_seconds', { phase: 'commit' }, tookMs / 1000);
    this.#context.steps.containers.removeLater(base);
    return { root, listing };
  }

  async #make(
    parent: PreparedRoot | null,
    solution: Solution,
    wanted: SolveRequest,
    signal: AbortSignal,
  ): Promise<{ readonly base: Draft; readonly listing: string }> {
    const { packages } = this.#context.host.cache;
    using _ = packages.hold(inboundOf(solution).map(({ checksum }) => checksum));
    const bringing = this.#bringPackages(solution, wanted, signal);
    return await twice(this.#context, packageStepTitle('install', wanted.title), async () => {
      // Whichever fails, the root is the clean-up's before the task ends.
      const [base] = await Promise.allSettled([this.#baseFor(parent, signal), bringing]);
      if (base.status === 'rejected') throw base.reason;
      await bringing;
      const listing = await this.#install(base.value, parent, solution, wanted, signal);
      return { base: base.value, listing };
    });
  }

  /** A root for packages to be put into. */
  #baseFor(parent: PreparedRoot | null, signal: AbortSignal): Promise<Draft> {
    this.#made.roots += 1;
    const { host, request } = this.#context;
    return this.#context.prepareRoot(
      rootDraft(host, request, this.#made.roots, parent?.root ?? null),
      signal,
    );
  }

  async #bringPackages(solution: Solution, { title }: SolveRequest, signal: AbortSignal): Promise<void> {
    const packages = inboundOf(solution);
    const { host, request, logs } = this.#context;
    const urlsOf = (id: string) => request.repos.find((repo) => repo.id === id)?.urls ?? [];
    const startedMs = host.clock.uptime();
    let progress = '';
    const note = (done: number, ofFiles: number) => {
      progress = ` (${done} of ${ofFiles})`;
      logs.progress?.({ kind: 'fetching', title, files: done, ofFiles });
    };
    try {
      const origins = originsOf(request.repos);
      const wanted = packages.map(({ checksum, sizeBytes, repo, location, base }) => ({
        checksum,
        sizeBytes,
        origins,
        urls: (base === null ? urlsOf(repo) : [base]).map((url) => packageUrl(url, location, origins)),
      }));
      const { files, bytes } = await this.#waits.during(
        () => `packages of ${title} to be fetched${progress}`,
        () => host.cache.packages.ensure(wanted, signal, note),
      );
      const tookMs = host.clock.uptime() - startedMs;
      host.meter.count('koji_adjutant_package_hits_total', {}, packages.length - files);
      host.meter.count('koji_adjutant_package_misses_total', {}, files);
      host.meter.count('koji_adjutant_package_fetched_bytes_total', {}, bytes);
      if (files > 0) host.meter.observe('koji_adjutant_phase_seconds', { phase: 'fetch' }, tookMs / 1000);
      if (files > 0) logs.took(packageStepTitle('fetch', title), tookMs, tookMs, null);
      await logs.root.write(
        `${title}: ${packages.length} packages, ${files} of them fetched (${bytes} bytes), the others from the cache\n`,
      );
    } catch (error) {
      if (!(error instanceof PackageUnavailable) && !(error instanceof BadLocation)) throw error;
      const reason = withoutLogins(describeError(error));
      await logs.root.write(`${reason}\n`);
      throw new BuildrootStepFailed(packageStepTitle('fetch', title), 30, { cause: error, reason });
    }
  }

  /** Resolves with a listing of the root. */
  async #install(
    into: Draft,
    parent: PreparedRoot | null,
    solution: Solution,
    wanted: SolveRequest,
    signal: AbortSignal,
  ): Promise<string> {
    for (let chance = 1; ; chance += 1) {
      const code = await this.#runInstall(into, parent === null, solution, wanted, signal);
      if (code === 0) {
        const root = { title: wanted.title, parent: parent?.installed ?? [], solution };
        return listRoot(this.#context, this.#made.installs, into.root, root, signal);
      }
      if (code === noRpmBindings)
        throw new UnusableImage(
          this.#context.request.image,
          'no Python with the bindings of rpm',
          'these (python3-rpm)',
        );
      const { packages } = this.#context.host.cache;
      const checksums = inboundOf(solution).map(({ checksum }) => checksum);
      const missing = await packages.missing(checksums);
      // Not the task's fault that they were removed: the next try fetches them again.
      if (missing > 0)
        throw new ContainerError(
          'no-such-container',
          `${missing} packages were removed from the cache while they were installed`,
        );
      if (code !== damagedPackage || chance > 1)
        throw new BuildrootStepFailed(`${packageStepTitle('install', wanted.title)} (status ${code})`, 30);
      const purged = await packages.purge(checksums, signal);
      await this.#context.logs.root.write(`${purged} damaged packages of the cache are fetched again\n`);
      await this.#bringPackages(solution, wanted, signal);
    }
  }

  async #runInstall(
    into: Draft,
    fresh: boolean,
    solution: Solution,
    wanted: SolveRequest,
    signal: AbortSignal,
  ): Promise<number> {
    this.#made.installs += 1;
    const attempt = this.#made.installs;
    const { host, request } = this.#context;
    const inputs = toInstallInputs(solution);
    const script = installScript({
      attempt,
      inputs,
      fresh,
      machineId: randomUUID().replaceAll('-', ''),
      localTime: host.localTime,
      personality: request.personality,
    });
    const files = {
      [`install-${attempt}.sh`]: script,
      'transaction.py': transactionProgram,
      [`transaction-${attempt}.json`]: inputs.transaction,
      ...Object.fromEntries(
        Object.entries(inputs.digests).map(([command, list]) => [`${command}-${attempt}`, list]),
      ),
    };
    for (const [name, content] of Object.entries(files)) await this.#context.write(`in/${name}`, content);
    await layOutPackages(this.#context, attempt, solution);
    const spec = installContainer(host, request, attempt, into.root);
    return (await runBootstrap(this.#context, installStep(wanted), spec, signal)).code;
  }
}

/** What the install phase reads about a solution. */
export function toInstallInputs(solution: Solution): InstallInputs {
  const digests: Record<string, string> = {};
  for (const { checksum } of inboundOf(solution)) {
    const [kind = '', hex = ''] = checksum.split(':');
    const command = `${kind}sum`;
    digests[command] = `${digests[command] ?? ''}${hex}  ${cachedPackages}/${packagePath(checksum)}\n`;
  }
  return { digests, transaction: renderTransaction(solution) };
}

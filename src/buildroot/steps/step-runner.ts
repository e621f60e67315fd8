import { join } from 'node:path';
import { z } from 'zod';
import type { Removable } from '../../container/background-removals.ts';
import { describeLimit } from '../../container/describe-limit.ts';
import { lacksCommand } from '../../container/errors.ts';
import type { Container } from '../../container/manager.ts';
import type { Draft, DraftSpec } from '../../container/root-store.ts';
import { goneMeanwhile, type PhaseOptions, PhaseResult, runPhase } from '../../container/run-phase.ts';
import type { ContainerSpec } from '../../container/spec.ts';
import type { Clock } from '../../core/clock.ts';
import { BuilderError } from '../../core/errors.ts';
import { saysDiskFull } from '../../core/fs-errors.ts';
import type { LogSink } from '../../core/log-sink.ts';
import { copyReadable, writeReadable } from '../../core/readable-files.ts';
import type { EarlierPart, History, Phase } from '../../journal/history.ts';
import { BuildrootStepFailed, isStuck, rootLacks, StepTimedOut } from '../errors.ts';
import type { BuildrootHost } from '../host.ts';
import type { RootRequest } from '../plan/root-request.ts';
import { Tail } from './log-tail.ts';
import { blameHost, judge, notPrepared, type Verdict } from './step-failure.ts';
import type { StepName } from './step-name.ts';

/** The logs that the steps of a root write, besides those that mock's plugins would. */
export interface RootLogs {
  readonly root: LogSink;
  readonly build: LogSink;
  /** A step begins or ends; becomes `state.log` and `mock_output.log`. */
  step(name: string, at: 'start' | 'finish'): Promise<void>;
  /**
   * How long a step took altogether, how long of that its script ran, where the engine says, and when after its
   * beginning package code wrote its first line.
   */
  took(name: string, stepMs: number, ranMs: number | null, firstOutputMs: number | null): void;
  /** The container of a step has outlived the daemon that began it, and is followed again from this byte of its output on. */
  goesOn?(name: string, writtenBytes: number): void;
  /** For a viewer; all of it is in root.log, too. */
  told?(news: RootNews): void;
}

/** What happens to a root besides steps; `title` says which packages it is about: `@build`. */
export type RootNews =
  | { readonly kind: 'from-snapshot'; readonly title: string; readonly packages: number }
  /** How far the packages are there; `files` counts those that had to be fetched and are done. */
  | { readonly kind: 'fetching'; readonly title: string; readonly files: number; readonly ofFiles: number };

/** What all steps of one root share: host, request, logs, the task's directory, and the way a step is run. */
export class RootGround {
  readonly host: BuildrootHost;
  readonly request: RootRequest;
  readonly logs: RootLogs;
  readonly history: History;
  readonly #cleanup: AsyncDisposableStack;
  readonly #gone = new Set<Removable>();
  /** What has done its work, and whose removal has time. */
  readonly #ended: Removable[] = [];
  /** Containers that a previous run of the task has made. */
  readonly #adopted = new WeakSet<Container>();

  /** `cleanup` is the task's: what a step made is gone when it has been unwound. */
  constructor(
    host: BuildrootHost,
    request: RootRequest,
    logs: RootLogs,
    history: History,
    cleanup: AsyncDisposableStack,
  ) {
    this.host = host;
    this.request = request;
    this.logs = logs;
    this.history = history;
    this.#cleanup = cleanup;
  }

  /** A place in the task's directory. */
  path(below: string): string {
    return join(this.request.directory.absolute, below);
  }

  /** Writes a file that phases read. One that is at work, since before a restart of the daemon, reads on in the old. */
  async write(below: string, content: string, mode?: number): Promise<void> {
    await writeReadable(this.path(below), content, mode);
  }

  /** Copies a file to where phases read it, in the same way. */
  async copy(from: string, below: string): Promise<void> {
    await copyReadable(from, this.path(below));
  }

  /** Creates a container that is removed with the task at the latest, also when that ends while it is being made. */
  create(spec: ContainerSpec, signal: AbortSignal): Promise<Container> {
    return this.#own(this.#make(spec, signal));
  }

  /** Prepares a root to be filled, which is removed in the same way. */
  prepareRoot(draft: DraftSpec, signal: AbortSignal): Promise<Draft> {
    return this.#own(this.#prepare(draft, signal));
  }

  #own<T extends Removable>(making: Promise<T>): Promise<T> {
    this.#cleanup.defer(async () => {
      // Its next user hears that it could not be made.
      const made = await making.catch(() => null);
      if (made !== null && !this.#gone.has(made)) await made[Symbol.asyncDispose]();
    });
    return making;
  }

  async #make(spec: ContainerSpec, signal: AbortSignal): Promise<Container> {
    const { containers } = this.host;
    const adopted = this.history.resumed ? await containers.adopt(spec, signal) : null;
    if (adopted === null) return containers.create(spec, signal);
    this.#adopted.add(adopted);
    return adopted;
  }

  async #prepare(draft: DraftSpec, signal: AbortSignal): Promise<Draft> {
    const { roots } = this.host;
    const recovered = this.history.resumed ? await roots.recover(draft, signal) : null;
    return recovered ?? roots.prepare(draft, signal);
  }

  /** Something that has to stay until the task has ended. */
  hold(needed: Disposable): void {
    this.#cleanup.use(needed);
  }

  /** Takes over the root that a previous run has filled; null when it is gone. */
  async recoverRoot(draft: DraftSpec, signal: AbortSignal): Promise<Draft | null> {
    const root = await this.host.roots.recover(draft, signal);
    if (root !== null) this.#cleanup.use(root);
    return root;
  }

  /** Leaves a container to others. */
  release(container: Container): void {
    this.#gone.add(container);
  }

  /** Begins to remove what has done its work. Neither the next step nor the end of the task waits for that. */
  letGo(container: Removable): void {
    this.#gone.add(container);
    this.host.removals.add(container);
  }

  /**
   * Removes what has done its work when package code runs, or with the task: until then the engine has more
   * urgent things to do.
   */
  letGoLater(container: Removable): void {
    this.#ended.push(container);
  }

  /**
   * Runs a phase of the bootstrap image, with its output in root.log; its container is let go later. Throws when it
   * failed for want of room, which is no fault of package or repo, and `BuildrootStepFailed` when it has run into a
   * limit. Gives the end of its output, too.
   */
  async runBootstrap(
    name: StepName,
    spec: ContainerSpec,
    signal: AbortSignal,
  ): Promise<{ readonly code: number; readonly end: string }> {
    const { clock, stepLimits } = this.host;
    const { title } = name;
    const tail = new Tail(this.logs.root, clock);
    const limit =
      name.phase === 'solve'
        ? ({ option: 'solve_timeout', seconds: stepLimits.solveSeconds } as const)
        : ({ option: 'install_timeout', seconds: stepLimits.installSeconds } as const);
    const { code, end, ranInto, timedOut } = await this.#timed(name, tail, {
      log: 'root.log',
      make: () => this.create(spec, signal),
      work: async (container, earlier) => {
        const before = this.#goesOn(title, container, earlier);
        const timeoutMs = leftMs(limit.seconds, earlier, clock);
        // Also one that is stuck: it is not needed any more.
        this.letGoLater(container);
        return runPhase(container, tail, clock, signal, { ...before, timeoutMs, ...this.#watched(title) });
      },
    });
    if (timedOut) throw new StepTimedOut(title, limit);
    const said = Buffer.from(end).toString();
    // Scriptlets may say anything: what counts is the disk.
    const { containers } = this.host;
    if (code !== 0 && saysDiskFull(said) && (await containers.lacksRoom([this.request.directory.absolute])))
      throw new BuilderError('disk-full', 'builder', `${title} failed: no space left on device`);
    if (code === 0) return { code, end: said };
    if (ranInto === null) {
      blameHost(title, code, said, this.request.image);
      return { code, end: said };
    }
    const why = describeLimit(ranInto);
    await this.logs.root.write(`${missingNewline(end)}${title}: ${why}\n`);
    throw new BuildrootStepFailed(`${title} (status ${code})`, notPrepared, { limit: why });
  }

  /** Tries once more what has come to no end, with containers of its own, since nothing is known of how it went. */
  async twice<T>(title: string, attempt: (isAgain: boolean) => Promise<T>): Promise<T> {
    try {
      return await attempt(false);
    } catch (error) {
      if (!isStuck(error)) throw error;
      this.host.log.warn({ taskId: this.request.taskId }, `${error.message}: trying once more`);
      await this.logs.root.write(`${title} is tried once more: ${error.message}\n`);
      return attempt(true);
    }
  }

  /** What `runPhase` needs for people who ask. */
  #watched(title: string): Pick<PhaseOptions, 'title' | 'waits' | 'log'> {
    const { taskId } = this.request;
    return { title, waits: this.host.waits.of(taskId), log: this.host.log.child({ taskId }) };
  }

  /**
   * Runs package code for as long as `rpmbuild_timeout` allows, with its output in build.log. Throws
   * `BuildrootStepFailed` for a status that is not `fine`; where its message names root.log alone, that has
   * the end of the output and the reason, too.
   */
  async runPackageCode(
    name: StepName,
    container: Container,
    verdict: Verdict,
    signal: AbortSignal,
  ): Promise<number> {
    const tail = new Tail(this.logs.build, this.host.clock);
    const { clock, site } = this.host;
    const { title } = name;
    const { rpmbuildTimeoutSeconds } = site;
    const result = await this.#timed(name, tail, {
      log: 'build.log',
      make: async () => container,
      work: async (running, earlier) => {
        const before = this.#goesOn(title, running, earlier);
        const timeoutMs = leftMs(rpmbuildTimeoutSeconds, earlier, clock);
        const started = () => {
          for (const ended of this.#ended.splice(0)) this.letGo(ended);
        };
        const options = { ...before, timeoutMs, started, ...this.#watched(title) };
        try {
          return await runPhase(running, tail, clock, signal, options);
        } catch (error) {
          if (!lacksCommand(error)) throw error;
          await this.logs.root.write(`${title}: ${rootLacks('bash')}\n`);
          throw new BuildrootStepFailed(title, notPrepared, { reason: rootLacks('bash'), cause: error });
        }
      },
    });
    blameHost(title, result.code, result.end.toString(), null);
    const failure = judge(title, result, verdict, rpmbuildTimeoutSeconds);
    if (failure === null) return result.code;
    const { step, limit } = failure;
    if (limit !== null) await this.logs.build.write(`${missingNewline(result.end)}${title}: ${limit}\n`);
    if (failure.readsRootLog || limit !== null) {
      await this.logs.root.write(result.end);
      await this.logs.root.write(`${step} failed${limit === null ? '' : `: ${limit}`}\n`);
    }
    throw failure;
  }

  /** What there is of a phase's output already; what a previous run has begun has to be there still. */
  #goesOn(
    title: string,
    container: Container,
    earlier: EarlierPart | null,
  ): Pick<PhaseOptions, 'from' | 'end'> {
    if (earlier === null) return {};
    if (!this.#adopted.has(container)) throw goneMeanwhile(title);
    this.logs.goesOn?.(title, earlier.writtenBytes);
    return { from: earlier.writtenBytes, end: earlier.tail };
  }

  async #timed(
    { id, phase: counted, title }: StepName,
    tail: Tail,
    phase: Omit<Phase<Container, PhaseResult>, 'result'>,
  ): Promise<PhaseResult & { readonly end: Uint8Array }> {
    let startedMs = this.host.clock.uptime();
    await this.logs.step(title, 'start');
    try {
      const { endBase64, ...result } = await this.history.phase<Container, EndedPhase>(id, {
        ...phase,
        result: EndedPhase,
        async work(container, earlier) {
          if (earlier !== null) {
            startedMs = earlier.startedMs;
            tail.begin(earlier.tail);
          }
          const ended = await phase.work(container, earlier);
          return { ...ended, endBase64: Buffer.from(tail.text()).toString('base64') };
        },
      });
      const { firstMs } = tail;
      const stepMs = this.host.clock.uptime() - startedMs;
      this.host.meter.observe('koji_adjutant_phase_seconds', { phase: counted }, stepMs / 1000);
      this.logs.took(title, stepMs, result.ranMs, firstMs === null ? null : firstMs - startedMs);
      return { ...result, end: Buffer.from(endBase64, 'base64') };
    } finally {
      await this.logs.step(title, 'finish');
    }
  }
}

/** What is left of a step's time, which keeps running while the daemon is away; null where it has no limit. */
function leftMs(limitSeconds: number, earlier: EarlierPart | null, clock: Clock): number | null {
  if (limitSeconds === 0) return null;
  const usedMs = earlier === null ? 0 : clock.uptime() - earlier.startedMs;
  return Math.max(0, limitSeconds * 1000 - usedMs);
}

/** With the end of what it wrote. */
const EndedPhase = PhaseResult.extend({ endBase64: z.string() });
type EndedPhase = z.infer<typeof EndedPhase>;

/** What is missing for the next text to begin a line. */
function missingNewline(end: Uint8Array): string {
  return end.length === 0 || end.at(-1) === 0x0a ? '' : '\n';
}

import { rm } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { withDeadline } from '../../core/deadline.ts';
import { describeError, hasErrorCode } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import { describeDuration } from '../../core/waits.ts';
import { ContainerError } from '../errors.ts';
import type { ContainerId, ExitStatus, FailedStepRoot, ResourceLimits } from '../spec.ts';
import type { Container } from '../step-runtime.ts';
import { attach } from './api/attach.ts';
import { type Engine, libpod } from './api/client.ts';
import { inspectContainer, settledState } from './api/container-state.ts';
import { describeProcesses } from './api/host-processes.ts';
import type { ContainerState } from './api/schema.ts';
import { packMounted } from './create/mounted-root.ts';
import type { RootMounts } from './create/root-mounts.ts';
import { startHint } from './create/start-failure-hint.ts';
import { sizeOf } from './limits/disk-usage.ts';
import { LimitWatch } from './limits/limit-watch.ts';
import type { OomAccounting } from './limits/oom-accounting.ts';
import { followLog } from './output/log-file.ts';
import { removeContainer } from './remove-container.ts';
import { givenUpMs, UnseenEnds, unseenMs } from './unseen-end.ts';

export interface PodmanContainerParts {
  readonly engine: Engine;
  readonly socketPath: string;
  readonly clock: Clock;
  /** For what is wrong with it, with the task it belongs to. */
  readonly log: Logger;
  readonly roots: RootMounts;
  readonly id: ContainerId;
  readonly name: string;
  readonly logPath: string;
  readonly limits: ResourceLimits;
  readonly kills: OomAccounting;
  /** Containers whose roots are lent to this one for writing. */
  readonly lentBy: readonly ContainerId[];
  /**
   * An overlay `goes`: podman shows the base without the layer once the container has ended. Others stay, and can be read
   * when podman has cleaned up after the end, which unmounts them; one at hand is mounted by us besides, and so at once.
   */
  readonly root: 'goes' | 'stays' | 'at hand';
  /** It was started by a previous run of the worker. */
  readonly wasStarted: boolean;
  /** Mounted roots of other containers, to be given back after the removal. */
  readonly held: AsyncDisposableStack;
}

/** Podman's words for a main process that has ended, before and after podman's clean-up. */
const endedStatuses: readonly string[] = ['stopped', 'exited'];

/** The code of a main process that was ended by SIGKILL, which only the host can do, or by one of its own that was. */
const killedCode = 137;
/** How long a container may take to end after a kill, which leaves out processes that wait for a disk. */
const endMs = 60_000;
/** How long the last looks at its limits may take. */
const lastLooksMs = 30_000;
/** How long a container may take to go after a kill that is the beginning of its removal. */
const removalMs = 3000;

/** The pause between two looks at a running container: 1 % of its time so far, within these bounds. */
const shortestLookMs = 15;
const longestLookMs = 200;

/**
 * A container of podman. Its end is found by looking, not by podman's `wait`: that polls as well, ends
 * without an answer when the service goes, and knows no growing pause.
 */
export class PodmanContainer implements Container {
  readonly id: ContainerId;
  readonly name: string;
  readonly #parts: PodmanContainerParts;
  readonly #end: SingleFlight<ExitStatus>;
  #status: ExitStatus | undefined;
  #started: 'no' | 'before' | 'yes';
  #removal: Promise<void> | undefined;
  #killed = false;
  readonly #watch: LimitWatch;
  readonly #over = new AbortController();
  #watching: Promise<void> = Promise.resolve();
  /** What the engine has said last, and when. */
  #seen: { readonly state: ContainerState; readonly atMs: number } | undefined;
  readonly #unseenEnds: UnseenEnds;
  #unwatched: { readonly error: unknown } | undefined;

  constructor(parts: PodmanContainerParts) {
    this.id = parts.id;
    this.name = parts.name;
    this.#parts = parts;
    this.#started = parts.wasStarted ? 'before' : 'no';
    this.#watch = new LimitWatch({ ...parts, kill: () => this.#kill('SIGKILL') });
    this.#unseenEnds = new UnseenEnds(parts.clock);
    this.#end = new SingleFlight((signal) => this.#awaitEnd(signal));
  }

  /** Something this container needs for as long as it is there. */
  hold(needed: AsyncDisposable): void {
    this.#parts.held.use(needed);
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#started === 'yes')
      throw new Error(`container ${this.name} was started before; a container runs once`);
    const isRunning = this.#started === 'before';
    this.#started = 'yes';
    if (!isRunning) await this.#startNow(signal);
    this.#watching = this.#watch.run(this.#over.signal).catch((error: unknown) => {
      this.#unwatched = { error };
    });
  }

  async #startNow(signal: AbortSignal): Promise<void> {
    await this.#watch.begin();
    try {
      await this.#parts.engine.text({ ...this.#request('start', 'POST', '/start'), ok: [204], signal });
    } catch (error) {
      if (!(error instanceof ContainerError) || error.code !== 'engine-failed') throw error;
      throw new ContainerError(
        'start-failed',
        `${error.message}${startHint(error.message, this.#parts.limits)}`,
        { cause: error },
      );
    }
  }

  async wait(signal: AbortSignal): Promise<ExitStatus> {
    if (this.#started === 'no')
      throw new Error(`container ${this.name} was not started: nothing to wait for`);
    return this.#status ?? this.#end.join(signal);
  }

  async *output(signal: AbortSignal, from = 0, end?: Uint8Array): AsyncGenerator<Uint8Array, void> {
    const { clock, logPath: path } = this.#parts;
    const leave = new AbortController();
    const ended = this.#endOrRemoval(AbortSignal.any([signal, leave.signal]));
    try {
      yield* followLog({ path, from, ...(end !== undefined && { end }), clock, signal, ended });
    } finally {
      leave.abort();
    }
  }

  async copyOut(path: string, signal: AbortSignal): Promise<Readable> {
    const { root } = this.#parts;
    if (root === 'goes') {
      throw new ContainerError(
        'bad-spec',
        `cannot copy ${path} out of container ${this.name}: its root is only visited`,
      );
    }
    const { engine, clock, roots } = this.#parts;
    const { Status } =
      root === 'at hand'
        ? (await inspectContainer(engine, clock, this.id, signal)).State
        : await settledState(engine, clock, this.id, signal);
    if (Status === 'running') {
      throw new Error(`cannot copy ${path} out of container ${this.name}: it is running`);
    }
    const mountPoint = await roots.mountPoint(this.id);
    const packed = mountPoint === null ? null : await packMounted(mountPoint, path, signal);
    if (packed !== null) return addAbortSignal(signal, packed);
    const archive = await engine.stream({
      ...this.#request(`copy ${path} out of`, 'GET', '/archive'),
      query: { path },
      ok: [200],
      notFound: 'no-such-path',
      signal,
    });
    return addAbortSignal(signal, archive);
  }

  async runAttached(signal: AbortSignal): Promise<number> {
    if (this.#started !== 'no')
      throw new Error(`container ${this.name} was started before; a container runs once`);
    this.#started = 'yes';
    const { socketPath } = this.#parts;
    return attach(socketPath, this.id, signal);
  }

  async keepRoot(signal: AbortSignal): Promise<{ readonly root: FailedStepRoot; readonly bytes: number }> {
    this.#over.abort();
    await this.#watching;
    await rm(this.#parts.logPath, { force: true });
    await this.#parts.held.disposeAsync();
    return {
      root: { kind: 'failed', id: this.id },
      bytes: await sizeOf(this.#parts.engine, this.id, signal),
    };
  }

  async stop(graceMs: number): Promise<void> {
    if (this.#started === 'no' || this.#status !== undefined) return;
    const { clock } = this.#parts;
    const enough = new AbortController();
    const end = this.#endOrRemoval(enough.signal);
    end.catch(unheard);
    try {
      await this.#kill('SIGTERM');
      const grace = clock.sleep(graceMs, enough.signal).then(() => 'over' as const);
      grace.catch(unheard);
      if ((await Promise.race([end, grace])) !== 'over') return;
      await this.#kill('SIGKILL');
      const late = clock.sleep(endMs, enough.signal).then(() => 'late' as const);
      late.catch(unheard);
      if ((await Promise.race([end, late])) === 'late')
        throw new ContainerError(
          'end-unseen',
          `container ${this.name} has not ended ${endMs / 1000} s after it was killed: ${await this.describe()}`,
        );
    } finally {
      enough.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#removal ??= this.#remove();
    try {
      await this.#removal;
    } catch (error) {
      // The next call tries again.
      this.#removal = undefined;
      throw error;
    }
  }

  async #remove(): Promise<void> {
    this.#over.abort();
    await this.#watching;
    await removeContainer(this.#parts.engine, this.id, this.#parts.clock);
    // What it held is free also where the disk does not let its log go.
    await this.#parts.held.disposeAsync();
    await rm(this.#parts.logPath, { force: true });
  }

  /** Like the end, but fine when the container was removed. */
  async #endOrRemoval(signal: AbortSignal): Promise<void> {
    try {
      if (this.#status === undefined) await this.#end.join(signal);
    } catch (error) {
      if (!(error instanceof ContainerError) || error.code !== 'no-such-container') throw error;
    }
  }

  async #awaitEnd(signal: AbortSignal): Promise<ExitStatus> {
    const { engine, clock } = this.#parts;
    const since = clock.uptime();
    for (let isReported = false; ; ) {
      const { State: state } = await inspectContainer(engine, clock, this.id, signal);
      this.#seen = { state, atMs: clock.uptime() };
      if (endedStatuses.includes(state.Status)) return this.#ended(state, signal);
      // Without its limits it must not continue, and its waiter removes it.
      if (this.#unwatched !== undefined) throw this.#unwatched.error;
      const unseen = await this.#unseenEnds.look(state);
      if (unseen !== null && unseen.ms >= unseenMs) {
        const message = `container ${this.name}: ${unseen.what} for ${describeDuration(unseen.ms)}, and podman calls it ${state.Status}`;
        if (unseen.ms >= givenUpMs) throw await this.#givenUp(message);
        if (!isReported) this.#parts.log.error({ seen: await this.describe() }, message);
        isReported = true;
      }
      const pauseMs = Math.round((clock.uptime() - since) / 100);
      await clock.sleep(Math.min(Math.max(pauseMs, shortestLookMs), longestLookMs), signal);
    }
  }

  async #ended(state: ContainerState, signal: AbortSignal): Promise<ExitStatus> {
    const { clock, log } = this.#parts;
    // Podman 5.1 and later: its monitor was killed, and how it ended is unknown.
    if (state.ExitCode < 0)
      throw await this.#givenUp(
        `container ${this.name} has ended, and podman cannot tell how: its monitor is gone`,
      );
    const ranMs = Date.parse(state.FinishedAt) - Date.parse(state.StartedAt);
    this.#over.abort();
    const looking = async () => {
      await this.#watching;
      return this.#watch.hit(state.ExitCode, state.OOMKilled);
    };
    const ranInto = await withDeadline(clock, lastLooksMs, 'the last reading of its limits', looking).catch(
      (error: unknown) => {
        if (!hasErrorCode(error, 'timeout')) throw error;
        log.error(`container ${this.name} has ended, and ${error.message}: no longer waiting for it`);
        return undefined;
      },
    );
    if (state.ExitCode === killedCode && ranInto === undefined && !this.#killed)
      await this.#staysThere(signal);
    const status = { code: state.ExitCode, oomKilled: state.OOMKilled, ranMs };
    this.#status = ranInto === undefined ? status : { ...status, ranInto };
    return this.#status;
  }

  /** Kills what may be left, since nothing is known of its output or its end any more. */
  async #givenUp(message: string): Promise<ContainerError> {
    const seen = await this.describe();
    this.#parts.log.error({ seen }, `${message}: given up`);
    await this.#kill('SIGKILL').catch((error: unknown) =>
      this.#parts.log.warn(`container ${this.name} cannot be killed: ${describeError(error)}`),
    );
    return new ContainerError('end-unseen', message);
  }

  async describe(): Promise<string> {
    if (this.#seen === undefined) return this.#started === 'no' ? 'not started' : 'not looked at yet';
    const { state, atMs } = this.#seen;
    const said = `${state.Status} by podman's word ${describeDuration(this.#parts.clock.uptime() - atMs)} ago`;
    return endedStatuses.includes(state.Status) ? said : `${said}; ${await describeProcesses(state)}`;
  }

  /** Rejects with `no-such-container` when another removes it: its end then says nothing of what ran in it. */
  async #staysThere(signal: AbortSignal): Promise<void> {
    const { engine, clock } = this.#parts;
    for (const since = clock.uptime(); clock.uptime() - since < removalMs; ) {
      await clock.sleep(longestLookMs, signal);
      await inspectContainer(engine, clock, this.id, signal);
    }
  }

  async #kill(signalName: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#killed = true;
    try {
      await this.#parts.engine.text({
        ...this.#request(`send ${signalName} to`, 'POST', '/kill'),
        query: { signal: signalName },
        ok: [204],
        repeatable: true,
      });
    } catch (error) {
      // Podman refuses a container that does not run; only the state says so for sure.
      if (!(error instanceof ContainerError) || error.code === 'runtime-down') throw error;
      if (error.code === 'no-such-container') return;
      const { State } = await inspectContainer(this.#parts.engine, this.#parts.clock, this.id);
      if (State.Status === 'running') throw error;
    }
  }

  #request<Method extends 'GET' | 'POST'>(verb: string, method: Method, path: string) {
    return { what: `${verb} container ${this.name}`, method, path: `${libpod}/containers/${this.id}${path}` };
  }
}

/** For promises that are also awaited elsewhere, or cut short on purpose once their outcome does not matter. */
function unheard(): void {
  return;
}

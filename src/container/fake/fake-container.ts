import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import type { Clock } from '../../core/clock.ts';
import { ContainerError } from '../errors.ts';
import type { ContainerId, ContainerSpec, ExitStatus, FailedStepRoot, LimitHit } from '../spec.ts';
import type { Container, ContainerSummary } from '../step-runtime.ts';
import type { FakeBehaviour } from './behaviour.ts';

/** Files of a root, by absolute path. */
export type Files = Readonly<Record<string, Uint8Array>>;

export interface FakeContainerParts {
  readonly id: ContainerId;
  readonly spec: ContainerSpec;
  readonly behaviour: FakeBehaviour;
  /** What its layer holds before it starts, and what the image below does. */
  readonly layer: Files;
  readonly below: Files;
  readonly clock: Clock;
  readonly createdMs: number;
  /** Told of every call, and of every call that a real engine would not stand. */
  readonly record: (call: string) => void;
  readonly misuse: (complaint: string) => Error;
  /** Told what it has written when it runs. */
  readonly fill: (files: Files) => void;
  readonly forget: () => void;
}

/** A container that exists in memory only; made by `FakeRuntime`. */
export class FakeContainer implements Container {
  readonly id: ContainerId;
  readonly name: string;
  readonly spec: ContainerSpec;
  readonly #parts: FakeContainerParts;
  readonly #killed = new AbortController();
  readonly #end = Promise.withResolvers<ExitStatus>();
  readonly #chunks: Buffer[] = [];
  #grown = Promise.withResolvers<void>();
  #written = 0;
  #ranInto: LimitHit | undefined;
  #isAdopted = false;
  #isGiven = false;
  #state: 'created' | 'running' | 'exited' | 'removed' = 'created';

  constructor(parts: FakeContainerParts) {
    this.id = parts.id;
    this.name = parts.spec.name;
    this.spec = parts.spec;
    this.#parts = parts;
    this.#end.promise.catch(unheard);
  }

  get summary(): ContainerSummary {
    const { spec, createdMs } = this.#parts;
    const state = this.#state === 'removed' ? 'other' : this.#state;
    return { id: this.id, name: this.name, owner: spec.owner, state, createdMs };
  }

  /** Another run of the worker takes it over. */
  mayBeStartedAgain(): void {
    this.#isAdopted = true;
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#enter('start', signal);
    if (this.#isAdopted && this.#state !== 'created') {
      this.#isAdopted = false;
      return;
    }
    if (this.#state !== 'created') throw this.#parts.misuse(`container ${this.name} was started before`);
    const { startFail } = this.#parts.behaviour;
    if (startFail !== undefined) {
      this.#exit(127);
      throw new ContainerError('start-failed', `cannot start container ${this.name}: ${startFail}`);
    }
    this.#state = 'running';
    this.#parts.fill(this.#layer);
    this.#checkDisk();
    this.#watchIdleTime();
    this.#run().then(
      (code) => this.#exit(code),
      (error: unknown) => this.#fail(error),
    );
  }

  async wait(signal: AbortSignal): Promise<ExitStatus> {
    this.#enter('wait', signal);
    if (this.#state === 'created') throw this.#parts.misuse(`container ${this.name} was not started`);
    return orAbort(this.#end.promise, signal);
  }

  async *output(signal: AbortSignal, from = 0, end?: Uint8Array): AsyncGenerator<Uint8Array, void> {
    this.#enter('output', signal);
    const before = Buffer.concat(this.#chunks).subarray(0, from);
    if (end !== undefined && before.length === from && !before.subarray(from - end.length).equals(end))
      throw new ContainerError('no-such-container', `output of container ${this.name} is lost`);
    let skip = from;
    for (let next = 0; ; ) {
      signal.throwIfAborted();
      const chunk = this.#chunks[next];
      if (chunk === undefined) {
        const isOver = this.#state === 'exited' || this.#state === 'removed';
        if (isOver && skip > 0)
          throw new ContainerError('no-such-container', `output of container ${this.name} is lost`);
        if (isOver) return;
        await orAbort(this.#grown.promise, signal);
        continue;
      }
      next += 1;
      const rest = chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - rest.length;
      if (rest.length > 0) yield rest;
    }
  }

  async copyOut(path: string, signal: AbortSignal): Promise<Readable> {
    this.#enter(`copyOut ${path}`, signal);
    if (this.#state === 'running') throw this.#parts.misuse(`copy out of container ${this.name}, which runs`);
    if (this.spec.root.kind === 'visit') {
      throw new ContainerError(
        'bad-spec',
        `cannot copy ${path} out of container ${this.name}: its root is only visited`,
      );
    }
    const files = Object.entries({ ...this.#parts.below, ...this.#layer });
    const parent = posix.dirname(path);
    const wanted = files.filter(([name]) => name === path || name.startsWith(`${path}/`));
    if (wanted.length === 0)
      throw new ContainerError('no-such-path', `container ${this.name} has no ${path}`);
    const tar = pack();
    for (const [name, content] of wanted)
      tar.entry({ name: posix.relative(parent, name) }, Buffer.from(content));
    tar.finalize();
    return Readable.from(tar);
  }

  async runAttached(signal: AbortSignal): Promise<number> {
    if (this.spec.interactive === undefined)
      throw this.#parts.misuse(`container ${this.name} is not interactive`);
    await this.start(signal);
    return (await this.wait(signal)).code;
  }

  async keepRoot(signal: AbortSignal): Promise<{ readonly root: FailedStepRoot; readonly bytes: number }> {
    this.#enter('keepRoot', signal);
    if (this.#state === 'running') throw this.#parts.misuse(`container ${this.name} runs: its root changes`);
    return { root: { kind: 'failed', id: this.id }, bytes: this.fileBytes };
  }

  async stop(graceMs: number): Promise<void> {
    this.#parts.record(`stop ${this.name}`);
    if (this.#state !== 'running') return;
    if (this.#parts.behaviour.ignoresTerm === true) {
      await Promise.race([this.#end.promise, this.#parts.clock.sleep(graceMs)]);
      this.#exit(137);
    } else {
      this.#exit(143);
    }
    this.#killed.abort();
  }

  async describe(): Promise<string> {
    return this.#state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts.record(`remove ${this.name}`);
    if (this.#state === 'removed') return;
    this.#end.reject(this.#gone());
    this.#state = 'removed';
    this.#killed.abort();
    this.#grow();
    this.#parts.forget();
  }

  async #run(): Promise<number> {
    const { behaviour, clock, spec } = this.#parts;
    const { signal } = this.#killed;
    if (behaviour.output !== undefined) this.#write(behaviour.output);
    if (behaviour.runMs === Number.POSITIVE_INFINITY) await orAbort(new Promise<never>(unheard), signal);
    else if (behaviour.runMs !== undefined) await clock.sleep(behaviour.runMs, signal);
    const code = await behaviour.main?.({ spec, signal, write: (output) => this.#write(output) });
    return code ?? behaviour.exitCode ?? 0;
  }

  #write(output: string | Uint8Array): void {
    const chunk = Buffer.from(output);
    this.#chunks.push(chunk);
    this.#written += chunk.length;
    this.#grow();
    const { logBytes } = this.spec.limits;
    if (logBytes !== undefined && this.#written > logBytes)
      this.#overrun({ limit: 'log', allowed: logBytes, peak: this.#written });
  }

  /** Of all its files. */
  get fileBytes(): number {
    return Object.values(this.#layer).reduce((sum, { length }) => sum + length, 0);
  }

  /** Its layer, for another container; it has none any more. */
  give(): Files {
    if (this.#isGiven) throw new ContainerError('no-such-container', `container ${this.name} has no layer`);
    const layer = this.#layer;
    this.#isGiven = true;
    return layer;
  }

  get #layer(): Files {
    const { layer, behaviour } = this.#parts;
    return this.#isGiven ? {} : { ...layer, ...behaviour.files };
  }

  #checkDisk(): void {
    const { diskBytes } = this.spec.limits;
    const used = this.fileBytes;
    if (diskBytes !== undefined && used > diskBytes)
      this.#overrun({ limit: 'disk', allowed: diskBytes, peak: used });
  }

  #watchIdleTime(): void {
    const { idleMs } = this.spec.limits;
    if (idleMs === undefined) return;
    const watch = async () => {
      for (let before = -1; before !== this.#written; ) {
        before = this.#written;
        await this.#parts.clock.sleep(idleMs, this.#killed.signal);
      }
      this.#overrun({ limit: 'idle', allowed: idleMs, peak: idleMs });
    };
    watch().catch(unheard);
  }

  #overrun(ranInto: LimitHit): void {
    if (this.#state !== 'running') return;
    this.#ranInto = ranInto;
    this.#exit(137);
    this.#killed.abort();
  }

  #exit(code: number): void {
    if (this.#state === 'removed' || this.#state === 'exited') return;
    this.#state = 'exited';
    const { oomKilled = false, ranInto = this.#ranInto } = this.#parts.behaviour;
    this.#end.resolve({ code, oomKilled, ...(ranInto === undefined ? {} : { ranInto }) });
    this.#grow();
  }

  #fail(error: unknown): void {
    if (this.#killed.signal.aborted) return;
    this.#state = 'exited';
    this.#end.reject(error);
    this.#grow();
  }

  #grow(): void {
    this.#grown.resolve();
    this.#grown = Promise.withResolvers();
  }

  #enter(call: string, signal: AbortSignal): void {
    this.#parts.record(`${call} ${this.name}`);
    signal.throwIfAborted();
    if (this.#state === 'removed') throw this.#gone();
  }

  #gone(): ContainerError {
    return new ContainerError('no-such-container', `container ${this.name} was removed`);
  }
}

function unheard(): void {
  return;
}

/** The promise, unless the signal is aborted first. */
async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

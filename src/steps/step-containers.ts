import type { BackgroundRemovals, Removable } from '../container/background-removals.ts';
import type { ContainerSpec } from '../container/spec.ts';
import type { Container, StepRuntime } from '../container/step-runtime.ts';

export interface StepContainersParts {
  readonly runtime: Pick<StepRuntime, 'create' | 'recover'>;
  /** Whether a previous run of the task may have left containers. */
  readonly resumed: boolean;
  /** The task's: what is here is gone when it has been unwound. */
  readonly cleanup: AsyncDisposableStack;
  readonly removals: Pick<BackgroundRemovals, 'add'>;
}

/** The containers and drafts of roots of one task: who makes them, who removes them, and when. */
export class StepContainers {
  readonly #parts: StepContainersParts;
  /** Those that others remove. */
  readonly #handedOver = new Set<Removable>();
  /** Those that have done their work, and whose removal has time. */
  readonly #ended: Removable[] = [];
  /** Those that a previous run of the task has made. */
  readonly #recovered = new WeakSet<Container>();

  constructor(parts: StepContainersParts) {
    this.#parts = parts;
  }

  /** Creates a container, or takes over the one of this spec that a previous run of the task has made. */
  make(spec: ContainerSpec, signal: AbortSignal): Promise<Container> {
    return this.own(this.#make(spec, signal));
  }

  async #make(spec: ContainerSpec, signal: AbortSignal): Promise<Container> {
    const { runtime, resumed } = this.#parts;
    const recovered = resumed ? await runtime.recover(spec, signal) : null;
    if (recovered === null) return runtime.create(spec, signal);
    this.#recovered.add(recovered);
    return recovered;
  }

  /** Whether a previous run of the task has made it. */
  isRecovered(container: Container): boolean {
    return this.#recovered.has(container);
  }

  /** Removes what is being made with the task at the latest, also when that ends before it is made. */
  own<T extends Removable>(making: Promise<T>): Promise<T> {
    this.#parts.cleanup.defer(async () => {
      // Its next user hears that it could not be made.
      const made = await making.catch(() => null);
      if (made !== null && !this.#handedOver.has(made)) await made[Symbol.asyncDispose]();
    });
    return making;
  }

  /** Leaves one to others, who remove it. */
  handOver(made: Removable): void {
    this.#handedOver.add(made);
  }

  /** Begins to remove one. Neither the next step nor the end of the task waits for that. */
  remove(made: Removable): void {
    this.handOver(made);
    this.#parts.removals.add(made);
  }

  /** Begins to remove one while the task continues; its end waits for that, and tries again what has failed. */
  removeMeanwhile(made: Removable): void {
    void made[Symbol.asyncDispose]().then(undefined, () => undefined);
  }

  /** Has one removed by the next `removeEnded`, or with the task: until then the engine has more urgent things to do. */
  removeLater(made: Removable): void {
    this.#ended.push(made);
  }

  /** Begins to remove all that `removeLater` was called for. */
  removeEnded(): void {
    for (const ended of this.#ended.splice(0)) this.remove(ended);
  }
}

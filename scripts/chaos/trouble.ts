import { type Mishap, mishaps, type PassingCall } from '../../test/support/faulty-proxy.ts';
import { SeededRandom } from '../fuzz/mutator.ts';
import type { ContainerEvent } from './engine.ts';
import type { Blow, Plan } from './plan.ts';

/** What trouble does to the world. */
export interface Hands {
  killDaemon(): void;
  restartEngine(): void;
  fillDisk(): void;
  nowMs(): number;
}

/** A kill that waits for a step which does not come makes room for the next. */
const patienceMs = 6_000;
/** So that between two kills something can be begun. */
const restMs = 2_500;

/** Deals out the trouble of a plan: one blow after another, and mishaps of calls in between. */
export class Trouble {
  /** What was done so far, by kind. */
  readonly done = new Map<string, number>();
  readonly #blows: Blow[];
  readonly #hands: Hands;
  readonly #random: SeededRandom;
  #mishaps: number;
  #sinceMs: number;
  #over = false;

  constructor(plan: Plan, seed: number, hands: Hands) {
    this.#blows = [...plan.blows];
    this.#mishaps = plan.mishaps;
    this.#random = new SeededRandom(seed ^ 0x5eed);
    this.#hands = hands;
    this.#sinceMs = hands.nowMs();
  }

  get total(): number {
    return [...this.done.values()].reduce((sum, count) => sum + count, 0);
  }

  get left(): number {
    return this.#over ? 0 : this.#blows.length + this.#mishaps;
  }

  /** No more trouble. */
  stop(): void {
    this.#over = true;
  }

  onRequest(call: PassingCall): Mishap | null {
    this.#step((blow) => 'method' in blow && blow.when === 'request' && blow.method === call.method);
    if (this.#over || this.#mishaps === 0 || this.#random.next() > 0.2) return null;
    this.#mishaps -= 1;
    const mishap = this.#random.pick(mishaps);
    this.#count(mishap);
    return mishap;
  }

  onReply(call: PassingCall): void {
    this.#step((blow) => 'method' in blow && blow.when === 'reply' && blow.method === call.method);
  }

  onContainer({ status, phase }: ContainerEvent): void {
    this.#step((blow) => 'phase' in blow && blow.when === status && blow.phase === phase);
  }

  /** To be called now and then: deals the blows that wait for nothing, and those that have waited in vain. */
  tick(): void {
    const waitedMs = this.#hands.nowMs() - this.#sinceMs;
    this.#step((blow) => blow.kind !== 'kill' || waitedMs > patienceMs);
  }

  #step(fits: (blow: Blow) => boolean): void {
    const [next] = this.#blows;
    if (this.#over || next === undefined || !fits(next)) return;
    if (this.#hands.nowMs() - this.#sinceMs < restMs) return;
    this.#blows.shift();
    this.#sinceMs = this.#hands.nowMs();
    if (next.kind === 'kill') this.#hands.killDaemon();
    else if (next.kind === 'engine') this.#hands.restartEngine();
    else this.#hands.fillDisk();
    this.#count(
      next.kind === 'kill' ? 'daemon killed' : next.kind === 'engine' ? 'engine killed' : 'disk full',
    );
  }

  #count(kind: string): void {
    this.done.set(kind, (this.done.get(kind) ?? 0) + 1);
  }
}

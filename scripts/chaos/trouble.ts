import type { Mishap, PassingCall } from '../../test/support/faulty-proxy.ts';
import { SeededRandom } from '../fuzz/mutator.ts';
import type { ContainerEvent } from './engine.ts';
import type { Blow, Plan, PlannedMishap } from './plan.ts';

/** What trouble does to the world. */
export interface Hands {
  killDaemon(): void;
  restartEngine(): void;
  fillDisk(): void;
  setClock(): void;
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
  /** What was planned for a step and has met another, or none: the rest has met the step. */
  readonly #strayed: string[] = [];
  readonly #blows: Blow[];
  readonly #mishaps: PlannedMishap[];
  readonly #hands: Hands;
  readonly #random: SeededRandom;
  #sinceMs: number;
  #hurries = false;
  #upTo = 0;

  constructor(plan: Plan, seed: number, hands: Hands) {
    this.#blows = [...plan.blows];
    this.#mishaps = [...plan.mishaps];
    this.#random = new SeededRandom(seed ^ 0x5eed);
    this.#hands = hands;
    this.#sinceMs = hands.nowMs();
  }

  get total(): number {
    return [...this.done.values()].reduce((sum, count) => sum + count, 0);
  }

  get left(): number {
    return this.#blows.length + this.#mishaps.length;
  }

  get #rests(): boolean {
    return this.total >= this.#upTo;
  }

  /** Kills and mishaps that did not strike where they were meant to. */
  get strayed(): readonly string[] {
    return [...this.#strayed, ...this.#blows.map(nameOf), ...this.#mishaps.map(nameOfMishap)];
  }

  /** Deals so many in all, until it is asked for more: what is dealt at once meets few tasks only. */
  deal(upTo: number): void {
    this.#upTo = upTo;
  }

  /** What is left waits for no call of its own any more: the tasks are coming to an end. */
  hurry(): void {
    this.#hurries = true;
  }

  /** No more trouble. */
  stop(): void {
    this.#upTo = 0;
  }

  onRequest(call: PassingCall): Mishap | null {
    this.#step((blow) => 'method' in blow && blow.when === 'request' && blow.method === call.method);
    const mishap = this.#rests ? undefined : this.#mishapFor(call.method);
    if (mishap === undefined) return null;
    this.#mishaps.splice(this.#mishaps.indexOf(mishap), 1);
    if (mishap.method !== null && mishap.method !== call.method) this.#strayed.push(nameOfMishap(mishap));
    this.#count(mishap.kind);
    return mishap.kind;
  }

  onReply(call: PassingCall): void {
    this.#step((blow) => 'method' in blow && blow.when === 'reply' && blow.method === call.method);
  }

  onContainer({ status, phase }: ContainerEvent): void {
    this.#step((blow) => 'phase' in blow && blow.when === status && blow.phase === phase);
  }

  /** To be called now and then: deals the blow that waits for nothing, and the one that has waited in vain. */
  tick(): void {
    const [next] = this.#blows;
    const waitedMs = this.#hands.nowMs() - this.#sinceMs;
    const isLate = waitedMs > patienceMs;
    if (next === undefined || (next.kind === 'kill' && !isLate)) return;
    if (this.#step((blow) => blow === next) && next.kind === 'kill') this.#strayed.push(nameOf(next));
  }

  #mishapFor(method: string): PlannedMishap | undefined {
    const own = this.#mishaps.find((mishap) => mishap.method === method);
    if (own !== undefined && this.#random.next() < 0.5) return own;
    if (this.#random.next() > 0.2) return undefined;
    return this.#mishaps.find((mishap) => mishap.method === null || this.#hurries);
  }

  #step(fits: (blow: Blow) => boolean): boolean {
    if (this.#rests || this.#hands.nowMs() - this.#sinceMs < restMs) return false;
    const index = this.#blows.findIndex(fits);
    const [blow] = index === -1 ? [] : this.#blows.splice(index, 1);
    if (blow === undefined) return false;
    this.#sinceMs = this.#hands.nowMs();
    if (blow.kind === 'kill') this.#hands.killDaemon();
    else if (blow.kind === 'engine') this.#hands.restartEngine();
    else if (blow.kind === 'disk') this.#hands.fillDisk();
    else this.#hands.setClock();
    const names = { kill: 'daemon killed', engine: 'engine killed', disk: 'disk full', clock: 'clock set' };
    this.#count(names[blow.kind]);
    return true;
  }

  #count(kind: string): void {
    this.done.set(kind, (this.done.get(kind) ?? 0) + 1);
  }
}

function nameOf(blow: Blow): string {
  if (blow.kind !== 'kill') return blow.kind;
  return `kill at ${'method' in blow ? blow.method : `container ${blow.phase}`} ${blow.when}`;
}

function nameOfMishap({ method, kind }: PlannedMishap): string {
  return `${kind} of ${method ?? 'any call'}`;
}

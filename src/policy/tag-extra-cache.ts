import type { Clock } from '../core/clock.ts';
import { SingleFlight } from '../core/single-flight.ts';

/** The `extra` of a tag as `getBuildConfig` answers it: inherited, values decoded from JSON, of any shape. */
export type TagExtra = Readonly<Record<string, unknown>>;

/** Asks the hub for a tag's extra, now or at an event. */
export type FetchTagExtra = (
  tagId: number,
  event: number | undefined,
  signal: AbortSignal,
) => Promise<TagExtra>;

interface Slot {
  readonly call: SingleFlight<TagExtra>;
  answer?: { readonly extra: TagExtra; readonly untilMs: number };
}

const mostSlots = 500;

/**
 * Remembers tags' extras for a while, for all tasks: one call to the hub per tag and event, however many tasks
 * ask at once. A failed call is not remembered. A caller that gives up rejects at once; the call continues as
 * long as a caller waits for it.
 */
export class TagExtraCache {
  readonly #fetch: FetchTagExtra;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #slots = new Map<string, Slot>();

  constructor(fetch: FetchTagExtra, clock: Clock, ttlMs: number) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  async get(tagId: number, event: number | undefined, signal: AbortSignal): Promise<TagExtra> {
    const slot = this.#slotFor(tagId, event);
    if (slot.answer !== undefined && this.#clock.uptime() < slot.answer.untilMs) return slot.answer.extra;
    return await slot.call.join(signal);
  }

  #slotFor(tagId: number, event: number | undefined): Slot {
    const key = `${tagId}@${event ?? 'now'}`;
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    this.#makeRoom();
    const slot: Slot = {
      call: new SingleFlight(async (signal) => {
        const extra = await this.#fetch(tagId, event, signal);
        slot.answer = { extra, untilMs: this.#clock.uptime() + this.#ttlMs };
        return extra;
      }),
    };
    this.#slots.set(key, slot);
    return slot;
  }

  /** Drops what is oldest and idle, so that years of events do not pile up. */
  #makeRoom(): void {
    for (const [key, slot] of this.#slots) {
      if (this.#slots.size < mostSlots) return;
      if (!slot.call.isRunning) this.#slots.delete(key);
    }
  }
}

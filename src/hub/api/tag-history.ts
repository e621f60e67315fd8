import { z } from 'zod';
import type { HubSession } from '../session/session.ts';

const TaggedBuild = z.object({ name: z.string(), version: z.string(), release: z.string() });

/** When a tag changed and what it held then; only reads. Errors are those of {@link HubSession}. */
export class TagHistoryApi {
  readonly #session: HubSession;

  constructor(session: HubSession) {
    this.#session = session;
  }

  /** `tagLastChangeEvent`: the newest event that changed the tag or what it inherits; null when there is none. */
  async lastChangeEvent(tagId: number, signal?: AbortSignal): Promise<number | null> {
    return this.#session.call('tagLastChangeEvent', [tagId], z.int().nullable(), { signal });
  }

  /** `tagFirstChangeEvent`: the first change after the event `after`; null when there is none. */
  async firstChangeEvent(tagId: number, after: number | null, signal?: AbortSignal): Promise<number | null> {
    return this.#session.call('tagFirstChangeEvent', [tagId], z.int().nullable(), {
      signal,
      keywords: { after },
    });
  }

  /** `getLastEvent(before)`: id of the last event before a time in seconds since the epoch; null when there is none. */
  async lastEventBefore(seconds: number, signal?: AbortSignal): Promise<number | null> {
    const event = await this.#session.call('getLastEvent', [], z.object({ id: z.int() }).nullable(), {
      signal,
      keywords: { before: seconds, strict: false },
    });
    return event?.id ?? null;
  }

  /** `listTagged` with inheritance: the builds of one package in the tag, now or at an event. */
  async taggedBuilds(
    tagId: number,
    packageName: string,
    event: number | null,
    signal?: AbortSignal,
  ): Promise<readonly z.infer<typeof TaggedBuild>[]> {
    return this.#session.call('listTagged', [tagId], z.array(TaggedBuild), {
      signal,
      keywords: { event, package: packageName, inherit: true },
    });
  }
}

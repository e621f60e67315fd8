import { z } from 'zod';
import type { HubSession } from './session.ts';

/** What the hub is and can do: the one place that knows in which version something came. */
export class VersionApi {
  readonly #session: HubSession;
  #asked: string | null = null;

  constructor(session: HubSession) {
    this.#session = session;
  }

  /** The hub's version, `1.35.3`: what its answers say, else `getKojiVersion`, asked once. */
  async version(signal?: AbortSignal): Promise<string> {
    const told = this.#session.hubVersion ?? this.#asked;
    this.#asked = told ?? (await this.#session.call('getKojiVersion', [], z.string(), { signal }));
    return this.#asked;
  }

  /**
   * From 1.35 on the hub makes repos on request (`repo.request`), can tell when a tag changed
   * (`tagLastChangeEvent`), and takes a new repo's options as `opts`. Before, kojira has a repo made when a tag
   * has changed, and builders look from time to time.
   */
  async hasRepoRequests(signal?: AbortSignal): Promise<boolean> {
    return isAtLeast(await this.version(signal), 1, 35);
  }
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [actualMajor = 0, actualMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return actualMajor > major || (actualMajor === major && actualMinor >= minor);
}

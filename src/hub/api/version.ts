import { z } from 'zod';
import { BuilderError } from '../../core/errors.ts';
import type { HubSession } from '../session/session.ts';

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

  /** Throws BuilderError `hub-too-old` for hubs that this builder was not tried with. */
  async requireSupported(signal?: AbortSignal): Promise<string> {
    const version = await this.version(signal);
    if (isSupported(version)) return version;
    throw new BuilderError(
      'hub-too-old',
      'external',
      `the hub's version is ${version}; this builder needs ${oldestHub.join('.')} or newer`,
    );
  }

  /**
   * From 1.34 on the hub gives tasks to hosts (`host.getTasks`) and remembers which host refused which
   * (`host.refuseTask`). Before, each host looks at what is FREE (`host.getLoadData`) and opens what suits it.
   */
  async assignsTasks(signal?: AbortSignal): Promise<boolean> {
    return isAtLeast(await this.version(signal), 1, 34);
  }

  /** From 1.34.1 on `host.updateHost` takes what the host tells of itself (`data`): the scheduler heeds its `maxjobs`. */
  async takesHostData(signal?: AbortSignal): Promise<boolean> {
    return isAtLeast(await this.version(signal), 1, 34, 1);
  }

  /** From 1.34 on there are draft builds; repos made since then have a list of their packages with ids (`rpmlist.jsonl`). */
  async hasDrafts(signal?: AbortSignal): Promise<boolean> {
    return isAtLeast(await this.version(signal), 1, 34);
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

/** The oldest hub that all tests have passed with. */
export const oldestHub = [1, 33] as const;

/** Whether this builder can work for a hub of this version. */
export function isSupported(version: string): boolean {
  return isAtLeast(version, ...oldestHub);
}

/** Compares number by number; what is no number (`0dev`, `0.post1`) counts as the number it begins with, else as 0. */
export function isAtLeast(version: string, ...least: readonly number[]): boolean {
  const actual = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  for (const [index, wanted] of least.entries()) {
    const found = actual[index] ?? 0;
    if (found !== wanted) return found > wanted;
  }
  return true;
}

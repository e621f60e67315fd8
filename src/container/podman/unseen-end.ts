import type { Clock } from '../../core/clock.ts';
import { findProcess, type HostProcess } from './api/host-processes.ts';
import type { ContainerState } from './api/schema.ts';

/** After this time it is an error, of which the log has to tell. */
export const unseenMs = 30_000;
/** After this time the wait is given up. */
export const givenUpMs = 60_000;
/** How often the host is asked. */
const lookEveryMs = 1000;

/** What the host says of a container that the engine takes for running. */
export interface UnseenEnd {
  /** In words: `its main process 4711 has ended`. */
  readonly what: string;
  /** How long that has been so, in milliseconds. */
  readonly ms: number;
}

/**
 * Notices that the end of a container will not be seen: its main process has ended, or its monitor (conmon), which alone
 * can tell the engine of the end, and the engine keeps calling it running. Podman before 5.1 does so for ever when the
 * monitor was killed.
 */
export class UnseenEnds {
  readonly #clock: Clock;
  readonly #find: (pid: number) => Promise<HostProcess | null>;
  /** When a process of this number was started, as it was first seen. */
  readonly #started = new Map<number, string>();
  #lookedMs = Number.NEGATIVE_INFINITY;
  #sinceMs: number | null = null;
  #what: string | null = null;

  constructor(clock: Clock, find: (pid: number) => Promise<HostProcess | null> = findProcess) {
    this.#clock = clock;
    this.#find = find;
  }

  /** What is wrong with a container that the engine has just called running; null when nothing is. */
  async look(state: Pick<ContainerState, 'Pid' | 'ConmonPid'>): Promise<UnseenEnd | null> {
    const now = this.#clock.uptime();
    if (now - this.#lookedMs >= lookEveryMs) {
      this.#lookedMs = now;
      this.#what = await this.#whatHasEnded(state);
      this.#sinceMs = this.#what === null ? null : (this.#sinceMs ?? now);
    }
    return this.#what === null || this.#sinceMs === null
      ? null
      : { what: this.#what, ms: now - this.#sinceMs };
  }

  async #whatHasEnded({ Pid, ConmonPid }: Pick<ContainerState, 'Pid' | 'ConmonPid'>): Promise<string | null> {
    const main = await this.#end(Pid);
    const monitor = await this.#end(ConmonPid);
    if (main !== null && monitor !== null)
      return `its main process ${Pid} ${main}, and its monitor ${ConmonPid} ${monitor}`;
    if (main !== null) return `its main process ${Pid} ${main}`;
    return monitor === null ? null : `its monitor ${ConmonPid} ${monitor}`;
  }

  /** How a process has ended; null for one that runs, and for one that the engine does not name. */
  async #end(pid: number | null | undefined): Promise<string | null> {
    if (pid === null || pid === undefined || pid === 0) return null;
    const found = await this.#find(pid);
    if (found === null) return 'is gone';
    const before = this.#started.get(pid);
    if (before === undefined) this.#started.set(pid, found.started);
    else if (before !== found.started && found.started !== '' && before !== '') return 'is gone';
    return found.state === 'Z' || found.state === 'X' ? 'has ended' : null;
  }
}

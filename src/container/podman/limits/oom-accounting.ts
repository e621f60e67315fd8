import { readFile } from 'node:fs/promises';

/** What was known of kills at some moment. */
export interface KillMark {
  /** On the whole host. */
  readonly onHost: number;
  /** Of these, those that containers have told of. */
  readonly told: number;
}

/** One who may know of kills that he has not told yet. */
export interface KillWitness {
  tellKills(): Promise<unknown>;
}

/**
 * Processes that the kernel has killed for want of memory. The count of a container's own cgroup goes with that, which may
 * be sooner than anybody has looked; the host's count stays. What the host has counted and no other container has told
 * of has happened to the one whose cgroup is gone.
 */
export class OomAccounting {
  readonly #readHost: () => Promise<number>;
  readonly #witnesses = new Set<KillWitness>();
  #told = 0;

  /** `readHost` gives the host's count, which never falls. */
  constructor(readHost: () => Promise<number> = killsOfHost) {
    this.#readHost = readHost;
  }

  /** Will be asked, before anything is recorded to another, until what is returned has been disposed. */
  join(witness: KillWitness): Disposable {
    this.#witnesses.add(witness);
    return { [Symbol.dispose]: () => void this.#witnesses.delete(witness) };
  }

  /** A witness has seen so many more. */
  tell(kills: number): void {
    this.#told += kills;
  }

  async mark(): Promise<KillMark> {
    const onHost = await this.#readHost();
    return { onHost, told: this.#told };
  }

  /** How many there were since that no container accounts for. */
  async untold(since: KillMark): Promise<number> {
    for (let mark = await this.mark(); ; ) {
      await Promise.all([...this.#witnesses].map((witness) => witness.tellKills()));
      const again = await this.mark();
      // Else what was told may be about more kills than the host's count was.
      if (again.onHost === mark.onHost) return again.onHost - since.onHost - (again.told - since.told);
      mark = again;
    }
  }
}

/** 0 where the kernel does not count them. */
async function killsOfHost(): Promise<number> {
  const [, count = '0'] = /^oom_kill (\d+)$/m.exec(await readFile('/proc/vmstat', 'latin1')) ?? [];
  return Number(count);
}

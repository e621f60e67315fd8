import type { Account } from '../../test/contract/hub/hub-under-test.ts';

/** The tag that the builds of a hub are tagged into, and nobody builds from. */
export const freeTag = 'chaos';

/** A hub whose daemon gets into trouble. It has the test distribution in the target `td1`. */
export interface ChaosHub {
  readonly url: string;
  readonly filesUrl: string;
  readonly topdir: string;
  /** Account of the host that does all the work. */
  readonly builder: Account;
  /** Somebody who may ask for any task, and cancel it. */
  readonly admin: Account;
  /** The channel whose only host is the builder. */
  readonly channel: string;
  /** Ids of builds that may be tagged into `freeTag`, where they are not yet. */
  readonly builds: readonly number[];
  /** Sessions of the builder that hold its lock or are those of tasks. */
  openSessions(): Promise<readonly string[]>;
  close(): Promise<void>;
}

import type { ContainerId, DraftRoot, KeptRoot, Owner } from './spec.ts';

/**
 * The port to the roots of a back end, by name: what code of packages runs on. A root begins as a draft, empty or on
 * another root; steps fill it, and what was committed does not change any more. Cut as the snapshotters of containerd and
 * BuildKit are. What belongs to a root besides its files (what is in it, when it was used, who holds it) is its user's.
 *
 * Safe for concurrent use. Every method that takes a signal rejects with its reason when it is aborted; every failure of the
 * engine is a `ContainerError`. What every back end promises is tried by `test/contract/root-store.contract.ts`.
 */
export interface RootStore {
  /**
   * Makes a draft on `parent`, or one with nothing in it but the directories /proc and /sys, for the kernel's views to be mounted
   * on. Rejects with `no-such-container` when the parent was removed.
   */
  prepare(draft: DraftSpec, signal: AbortSignal): Promise<Draft>;

  /** Takes over the draft that a previous run of this worker has made by this name, as it has left it; null when there is none. */
  recover(draft: DraftSpec, signal: AbortSignal): Promise<Draft | null>;

  /**
   * Makes a kept root of a draft, in place of any of that name; those who have that keep it. It is that draft, not a copy: modes,
   * owners, times to the nanosecond, all extended attributes, hard links, holes, sockets and devices are what they were.
   * So the draft has nothing any more, and can only be removed; the steps that have used it have ended. After a failure, and after a
   * crash, it may be tried again, and rejects with `no-such-container` where the draft has got lost.
   */
  commit(draft: DraftRoot, name: RootName, signal: AbortSignal): Promise<CommittedRoot>;

  /** The root that was committed by this name; null when there is none. */
  find(name: RootName, signal: AbortSignal): Promise<FoundRoot | null>;

  /** All kept roots of this host, those of other workers included. */
  list(signal: AbortSignal): Promise<readonly StoredRoot[]>;

  /** Removes a kept root; fine when it is gone already. False when containers or drafts need it. Roots that were made on it stay whole. */
  remove(root: RootName | Pick<StoredRoot, 'id'>): Promise<boolean>;
}

/** What a draft is made of, and how it is found again. */
export interface DraftSpec {
  /** Unlike those of all containers and drafts of the engine. */
  readonly name: string;
  readonly parent: KeptRoot | null;
  readonly owner: Owner;
  /** Further labels, as the operator's configuration says. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A draft, which is `list`ed and removed like the containers of its owner. Disposing removes it, and may be repeated. */
export interface Draft extends AsyncDisposable {
  readonly id: ContainerId;
  readonly name: string;
  readonly root: DraftRoot;
}

/** The name of a kept root. */
export interface RootName {
  /** Digest of what is in it, in hexadecimal digits. */
  readonly key: string;
  /** Who has made it: the directory with its records. Workers of one host share the storage, but not what they know of it. */
  readonly area: string;
}

export interface FoundRoot {
  /** Of this very root: another one of the same name has another. */
  readonly id: string;
  readonly root: KeptRoot;
}

export interface StoredRoot extends FoundRoot {
  readonly name: RootName;
  readonly createdMs: number;
}

export interface CommittedRoot extends FoundRoot {
  /** What it takes of the disk besides the root that it was made on. */
  readonly bytes: number;
}

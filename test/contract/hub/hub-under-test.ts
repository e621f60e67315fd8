/** An account on the hub under test. */
export interface Account {
  readonly name: string;
  readonly password: string;
}

export interface ContractHost extends Account {
  readonly arches: string;
  readonly capacity: number;
  readonly channel: string;
}

export interface ContractExternalRepo {
  readonly name: string;
  readonly url: string;
  readonly priority: number;
  readonly mergeMode: 'koji' | 'simple' | 'bare';
  readonly arches: string | null;
}

export interface HubTask {
  readonly id: number;
  readonly owner: number;
  readonly parent: number | null;
  readonly label: string | null;
  readonly arch: string;
  readonly request: readonly unknown[];
}

/** A hub that the contract suite is run against: the development hub, or a real one. */
export interface HubUnderTest {
  readonly url: string;
  readonly filesUrl: string;
  /** Whether it is Koji's development head after 1.35.3, or behaves like it. */
  readonly isHead: boolean;
  /** An account with the permission `admin`. */
  readonly admin: Account;
  ensureUser(account: Account): Promise<void>;
  /** Makes a host that is in the given channel only, and enabled. */
  ensureHost(host: ContractHost): Promise<void>;
  /** Makes a tag with an own build tag `<name>-build` for x86_64 that inherits from it, and a target of that name. */
  ensureTarget(name: string): Promise<void>;
  /** Lets a package be built into a tag. */
  ensurePackage(tag: string, packageName: string): Promise<void>;
  /** Makes an external repository that no tag uses. */
  ensureExternalRepo(name: string): Promise<void>;
  /** Adds an external repository, which is made when it is new, to a tag that does not have it. */
  attachExternalRepo(tag: string, repo: ContractExternalRepo): Promise<void>;
  /** Blocks a package that is in a tag's list. */
  blockPackage(tag: string, packageName: string): Promise<void>;
  /** Makes a session older than sessions get without renewal. */
  ageSession(id: number): Promise<void>;
  /** Whether it makes tasks that send mails. */
  readonly notifies: boolean;
  /** The latest tasks of a method. */
  tasksOf(method: string): Promise<readonly HubTask[]>;
  /** Makes the scheduler run now. */
  runScheduler(): Promise<void>;
  close(): Promise<void>;
}

/**
 * What a container is, said without any back end's words: plain data, made by the task code, turned
 * into an engine's create call by the back end.
 */

/** Engine's name of a container; unique for a worker, task, phase and attempt. */
export type ContainerId = string;

/** Linux capabilities a phase may keep; everything that is not listed is dropped. There is no way to ask for all. */
export type Capability =
  | 'CHOWN'
  | 'DAC_OVERRIDE'
  | 'FOWNER'
  | 'FSETID'
  | 'KILL'
  | 'MKNOD'
  | 'SETFCAP'
  | 'SETGID'
  | 'SETUID'
  | 'SYS_CHROOT';

/** A root of the back end's `RootStore` that is being filled. Plain data; what its id means only that store knows. */
export interface DraftRoot {
  readonly kind: 'draft';
  readonly id: string;
}

/** A root of the back end's `RootStore` that does not change any more. */
export interface KeptRoot {
  readonly kind: 'kept';
  readonly id: string;
}

/** What a step has left that failed (`Container.keepRoot`). */
export interface FailedStepRoot {
  readonly kind: 'failed';
  readonly id: string;
}

/**
 * How a container is kept apart from its host. `plain`: namespaces but for users, dropped capabilities, a filter of system calls, limits.
 * Others (a user namespace, a virtual machine) become values here when a back end has them; none may mean more privileges.
 */
export type Isolation = 'plain';

/** Where the root file system comes from. */
export type ContainerRoot =
  /** A writable layer on an image that `ImageStore.ensure` has seen. It goes with the container. */
  | { readonly kind: 'image'; readonly image: string }
  /**
   * A writable layer on a kept root: a fresh one, or that of a container which has ended, `after`, as it has left it, although it may
   * have lain on another root. That container has none any more, and can only be removed.
   */
  | { readonly kind: 'layer'; readonly on: KeptRoot; readonly after?: ContainerId }
  /** What a failed step has left, for a visitor: what is written below `stays`, directories that are there, stays; all else is thrown away. */
  | { readonly kind: 'visit'; readonly root: FailedStepRoot; readonly stays: readonly string[] };

/** Mounts by meaning, not by host path: a cluster has no host paths. `target` is absolute, inside. */
export type Mount =
  /** A file or directory of the worker's own area; `path` is relative to it (`tasks/12/fetch`). It must exist. */
  | { readonly kind: 'work'; readonly path: string; readonly target: string; readonly readOnly: boolean }
  /** The hub's file tree (`topdir`), always read-only; `path` is relative to it. */
  | { readonly kind: 'koji'; readonly path: string; readonly target: string }
  /**
   * The kernel's view of this container for a root that is worked on from outside: read-only, and with
   * the same places hidden as in the container's own. In a root that is mounted the target has to be a directory
   * already, and no link: crun makes none (`libcrun/linux.c prepare_sysfs_or_proc_mount`).
   */
  | { readonly kind: 'kernel'; readonly fileSystem: 'proc' | 'sysfs'; readonly target: string }
  /** An empty memory file system. */
  | { readonly kind: 'scratch'; readonly target: string; readonly sizeBytes?: number }
  /** A root of the back end's `RootStore`: a draft, to be filled, or any, as a throw-away copy. */
  | { readonly kind: 'root'; readonly root: DraftRoot; readonly target: string; readonly access: 'write' }
  | {
      readonly kind: 'root';
      readonly root: DraftRoot | KeptRoot;
      readonly target: string;
      readonly access: 'copy';
    }
  /** The operator's own mounts, repos that lie on this host, and the few device files an install phase needs. */
  | {
      readonly kind: 'host';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly relabel?: 'z' | 'Z';
    };

export interface ResourceLimits {
  /** Most processes and threads in the container. */
  readonly pids: number;
  /** Memory and swap together, in bytes; left out: the host's. */
  readonly memoryBytes?: number;
  /** Processors, may be a fraction; left out: all. */
  readonly cpus?: number;
  /** Size of /dev/shm in bytes; programs may be run from there. */
  readonly shmBytes?: number;
  /**
   * Disk that the container may take in its own layer and in the drafts that it fills, in bytes. It is
   * killed within five seconds of taking more.
   */
  readonly diskBytes?: number;
  /** Output that is kept, in bytes and as the back end keeps it: each line may take some more. Killed for more; one that ended first has run into it as well. */
  readonly logBytes?: number;
  /** Longest time without output, in milliseconds. Killed for a longer one. */
  readonly idleMs?: number;
  /**
   * Soft and hard limits by `ulimit` name in lower case (`nofile`), -1 for unlimited; the back end adds
   * what its engine insists on.
   */
  readonly ulimits?: Readonly<Record<string, { readonly soft: number; readonly hard: number }>>;
}

/** Who a container belongs to; becomes labels `io.koji.adjutant.*`, by which orphans are found. */
export interface Owner {
  /** Host name of the worker on the hub. */
  readonly workerId: string;
  readonly taskId: number;
  readonly phase: string;
  readonly attempt: number;
  readonly buildrootId?: number;
}

export interface ContainerSpec {
  readonly name: string;
  readonly root: ContainerRoot;
  /** Main process: absolute program and arguments. */
  readonly command: readonly string[];
  /** All there is of it: nothing of the image or the engine is added but HOME and HOSTNAME where they are missing. */
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  /** Numeric, so that nothing depends on the root's passwd. */
  readonly user: { readonly uid: number; readonly gid: number };
  readonly capabilities: readonly Capability[];
  /** One that the back end has (`RuntimeInfo.isolations`), or it is refused. */
  readonly isolation: Isolation;
  /** `none`: only lo, in its own namespace. `host`: the host's network, for phases that run no package code and builds that a policy gives it. */
  readonly network: 'none' | 'host';
  readonly hostname: string;
  readonly mounts: readonly Mount[];
  readonly limits: ResourceLimits;
  /** Devices of the host that the operator lets it use, by their paths below /dev. Its user has to be allowed to open them. */
  readonly devices?: readonly string[];
  /** Path of a seccomp profile on the engine's host, in place of the one that all others get. */
  readonly seccompProfile?: string;
  /** Its processes may make user namespaces, which are refused where the back end filters system calls. Left out: no. */
  readonly userNamespaces?: boolean;
  readonly owner: Owner;
  /** Its main process reads what `runAttached` gives it, as a terminal or as plain bytes; left out: nothing. No output is kept. */
  readonly interactive?: 'terminal' | 'pipe';
  /** Further labels, as the operator's configuration says. */
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * A limit that counted. For disk, log and idle time the container was killed; for memory the kernel has killed one of
 * its processes, for pids it has refused one, and the others may have continued.
 */
export interface LimitHit {
  readonly limit: 'memory' | 'pids' | 'disk' | 'log' | 'idle';
  /** In the limit's own unit: bytes, processes, milliseconds. */
  readonly allowed: number;
  /** The most that was seen, in the same unit. */
  readonly peak: number;
}

export interface ExitStatus {
  /** 0 to 255; 128 + signal when a signal ended the main process. */
  readonly code: number;
  /** What the engine says; false does not prove that memory was enough (podman on cgroup v1). */
  readonly oomKilled: boolean;
  /** The limit that the container has run into, if any. */
  readonly ranInto?: LimitHit;
  /** How long the main process ran, by the engine's own account, in milliseconds; left out when it keeps none. */
  readonly ranMs?: number;
}

export type PullPolicy = 'if-not-present' | 'always' | 'never';

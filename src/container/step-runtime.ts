import type { Readable } from 'node:stream';
import type { ContainerId, ContainerSpec, ExitStatus, FailedStepRoot, Isolation, Owner } from './spec.ts';

/**
 * The port that runs steps: each in a container of its own, from its beginning to its end, or taken over from a previous run of
 * the worker. Beside it stand the ports to what steps run on, `RootStore` and `ImageStore`. Podman is the first back end, the in-memory fake
 * the second; all of them pass `test/contract/step-runtime.contract.ts`.
 *
 * Safe for concurrent use. Every method that takes a signal gives up when it is aborted and rejects
 * with the signal's reason; what was created until then is removed by the back end itself. Every
 * failure of the engine is a `ContainerError` whose code says whose fault it is.
 */
export interface StepRuntime {
  readonly backend: string;

  /** Asks the engine who it is and what it can do. Rejects with `runtime-down` when nothing answers. */
  probe(signal: AbortSignal): Promise<RuntimeInfo>;

  /** Whether the storage of the back end or one of these directories is short of room at this moment. Never rejects. */
  lacksRoom(directories: readonly string[]): Promise<boolean>;

  /** Whether the engine still answers, at little cost. Rejects with `runtime-down` when it does not. */
  ping(signal: AbortSignal): Promise<void>;

  /** Creates the container of a step; nothing runs yet. Rejects with `no-such-container` when a root that it needs was removed. */
  create(spec: ContainerSpec, signal: AbortSignal): Promise<Container>;

  /**
   * Takes over a container that a previous run of this worker has created from this very spec, whatever its state;
   * null when there is none of that name and owner, and then nothing of it is left. It is as if `create` had just given it, but that it may have been
   * started: then `start` does nothing, and `output` begins with the first byte it ever wrote.
   */
  recover(spec: ContainerSpec, signal: AbortSignal): Promise<Container | null>;

  /**
   * All that this worker has made and not removed, orphans of previous runs included: containers, running or not, with those whose
   * roots were kept when they had failed, and drafts of roots (`RootStore.prepare`), which are `created`.
   */
  list(workerId: string, signal: AbortSignal): Promise<readonly ContainerSummary[]>;

  /** Removes what `list` names, whatever its state; a container is killed. Fine when it is gone already. */
  remove(id: ContainerId): Promise<void>;
}

/**
 * The container of one step: created, started at most once, waited for, removed. Disposing removes it, running or
 * not, with every process in it, and may be repeated.
 */
export interface Container extends AsyncDisposable {
  readonly id: ContainerId;
  readonly name: string;

  /** Starts the main process. Rejects with `start-failed` when the command cannot be run. A second call is a bug and throws. */
  start(signal: AbortSignal): Promise<void>;

  /** Resolves when the main process and with it every process of the container has ended. A non-zero code is a value, not an error. */
  wait(signal: AbortSignal): Promise<ExitStatus>;

  /**
   * Everything the main process wrote to stdout and stderr, byte by byte, from byte `from` on; follows
   * a running container and ends once it has ended and all was delivered. The order of each of the two
   * is kept, but not that between them: a process that wants it points both at one (`exec 2>&1`).
   * Written outside the container's reach, it outlives daemon and engine service, may be read again,
   * and goes when the container is removed. What is left out must have been delivered before, `end` being the last of it:
   * where it is not there any more, because the output was cut or replaced, this rejects with
   * `no-such-container`. Where the host had no room for some of it, that is said in its place and rejected.
   */
  output(signal: AbortSignal, from?: number, end?: Uint8Array): AsyncIterable<Uint8Array>;

  /**
   * A tar stream of the file or directory at `path`, from a container that is not running. Rejects
   * with `no-such-path`, and with `bad-spec` for a root that is visited: its layer goes with the end of the
   * run. The content is the package's: trust neither names
   * nor types.
   */
  copyOut(path: string, signal: AbortSignal): Promise<Readable>;

  /**
   * Starts the main process of an `interactive` container with this process's own standard input, output and error, and
   * resolves with its exit code when it has ended. Limits of disk, output and idle time are not watched meanwhile.
   */
  runAttached(signal: AbortSignal): Promise<number>;

  /**
   * Gives up everything of a container that has ended but its root: its output is gone, and the root stays until the
   * container is removed by its id, in another run of this process, too. `bytes`: what the container has added to the
   * root that it had begun with, as the files in its layer say.
   */
  keepRoot(signal: AbortSignal): Promise<{ readonly root: FailedStepRoot; readonly bytes: number }>;

  /**
   * Asks the main process to end, kills it after `graceMs`; fine when it has ended already. Rejects with `end-unseen` when it
   * does not end although it was killed.
   */
  stop(graceMs: number): Promise<void>;

  /** What is known of it at this moment, in a line for people: its state, its processes and what they wait for. Never rejects. */
  describe(): Promise<string>;
}

export interface RuntimeInfo {
  readonly name: string;
  readonly version: string;
  readonly rootless: boolean;
  readonly storageDriver: string;
  readonly cgroupVersion: 'v1' | 'v2';
  /** False where the engine accepts limits and ignores them (rootless on cgroup v1). */
  readonly limitsEnforced: boolean;
  /** What a container may ask for as its isolation. */
  readonly isolations: readonly Isolation[];
  /** Directory with images and container layers: what `minspace` has to look at. Null when it is not on this host. */
  readonly storagePath: string | null;
  /** What only some engines tell, for people who look at a host; null where this one does not. */
  readonly details: {
    /** The program that runs the containers (`crun`). */
    readonly runtime: string | null;
    /** Whether layers go through FUSE instead of the kernel's own overlay. */
    readonly fuse: boolean | null;
    /** The file system below the images (`extfs`, `xfs`), and whether its directories tell the types of files (`d_type`). */
    readonly storageOn: { readonly fileSystem: string | null; readonly hasFileTypes: boolean | null };
    /** Controllers of cgroups that limits need and that the engine has not. */
    readonly missingControllers: readonly string[];
    /** Directory with the state of running containers and their throw-away layers, on this host. */
    readonly runPath: string | null;
    /** How many more containers there can be. */
    readonly freeLocks: number | null;
  };
}

export interface ContainerSummary {
  readonly id: ContainerId;
  readonly name: string;
  readonly owner: Owner;
  readonly state: 'created' | 'running' | 'exited' | 'other';
  readonly createdMs: number;
}

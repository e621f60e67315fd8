import type { Readable } from 'node:stream';
import type { ContainerId, ContainerSpec, ExitStatus, Owner } from './spec.ts';

/**
 * The port to the containers of an engine. Podman is the first back end, the in-memory fake the second; all of
 * them pass `test/contract/container-manager.contract.ts`.
 *
 * Safe for concurrent use. Every method that takes a signal gives up when it is aborted and rejects
 * with the signal's reason; what was created until then is removed by the back end itself. Every
 * failure of the engine is a `ContainerError` whose code says whose fault it is.
 */
export interface ContainerManager {
  readonly backend: string;

  /** Asks the engine who it is and what it can do. Rejects with `runtime-down` when nothing answers. */
  probe(signal: AbortSignal): Promise<BackendInfo>;

  /** Whether the storage of the back end or one of these directories is short of room at this moment. Never rejects. */
  lacksRoom(directories: readonly string[]): Promise<boolean>;

  /** Whether the engine still answers, at little cost. Rejects with `runtime-down` when it does not. */
  ping(signal: AbortSignal): Promise<void>;

  /** Creates a container; nothing runs yet. A `root` mount of it may be used by others until it starts. */
  create(spec: ContainerSpec, signal: AbortSignal): Promise<Container>;

  /**
   * Takes over a container that a previous run of this worker has created from this very spec, whatever its state;
   * null when there is none of that name and owner. It is as if `create` had just given it, but that it may have been
   * started: then `start` does nothing, and `output` begins with the first byte it ever wrote.
   */
  adopt(spec: ContainerSpec, signal: AbortSignal): Promise<Container | null>;

  /** All containers of this worker, running or not, orphans of previous runs included. */
  list(workerId: string, signal: AbortSignal): Promise<readonly ContainerSummary[]>;

  /** What a container that does not run takes in its own layer, in bytes, as the files in it say. */
  layerBytes(id: ContainerId, signal: AbortSignal): Promise<number>;

  /** Kills and removes a container whatever its state; fine when it is gone already. */
  remove(id: ContainerId): Promise<void>;

  /**
   * Makes an image of the root of a container that is not running, to be shared copy-on-write by containers made from it.
   * It is that root, not a copy: modes, owners, times to the nanosecond, all extended attributes, hard links, holes,
   * sockets and devices are what they were. So the container has nothing of its own any more, and can only be removed; nothing may
   * use its root meanwhile. An image of that name is replaced. Rejects with `bad-spec` while the container runs; after a failure it may
   * be tried again, and rejects with `no-such-container` where the root has got lost.
   */
  commit(
    container: ContainerId,
    image: string,
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<KeptImage>;

  /** Images on this host that carry the label, whatever its value. */
  storedImages(label: string, signal: AbortSignal): Promise<readonly StoredImage[]>;

  /** Removes an image by name; fine when it is gone already. False when containers or other images need it. */
  removeImage(image: string): Promise<boolean>;
}

export interface KeptImage {
  readonly id: string;
  /** What it takes of the disk besides the image that its container was made from. */
  readonly bytes: number;
}

export interface StoredImage {
  readonly id: string;
  readonly names: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdMs: number;
}

/**
 * One container: created, started at most once, waited for, removed. Disposing removes it, running or
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
   * with `no-such-path`, and with `bad-spec` for an `overlay` root: its layer goes with the end of the
   * run, so what shall stay is written to a mount. The content is the package's: trust neither names
   * nor types.
   */
  copyOut(path: string, signal: AbortSignal): Promise<Readable>;

  /**
   * Starts the main process of an `interactive` container with this process's own standard input, output and error, and
   * resolves with its exit code when it has ended. Limits of disk, output and idle time are not watched meanwhile.
   */
  runAttached(signal: AbortSignal): Promise<number>;

  /**
   * Gives up everything of a container that does not run but its root: its output is gone, and the root stays until
   * it is removed by its id, in another run of this process, too.
   */
  keepRoot(): Promise<void>;

  /**
   * Asks the main process to end, kills it after `graceMs`; fine when it has ended already. Rejects with `end-unseen` when it
   * does not end although it was killed.
   */
  stop(graceMs: number): Promise<void>;

  /** What is known of it at this moment, in a line for people: its state, its processes and what they wait for. Never rejects. */
  describe(): Promise<string>;
}

export interface BackendInfo {
  readonly name: string;
  readonly version: string;
  readonly rootless: boolean;
  readonly storageDriver: string;
  readonly cgroupVersion: 'v1' | 'v2';
  /** False where the engine accepts limits and ignores them (rootless on cgroup v1). */
  readonly limitsEnforced: boolean;
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

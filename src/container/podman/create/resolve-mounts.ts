import type { Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ContainerError } from '../../errors.ts';
import type { ContainerId, ContainerSpec, Mount } from '../../spec.ts';
import type { MountedRoot, RootMounts } from './root-mounts.ts';
import type { OciMount, OverlayVolume } from './to-create-options.ts';

/** Directories of the host that mounts are relative to. */
export interface HostDirectories {
  /** The worker's own area; `work` mounts are below it. */
  readonly workDir: string;
  /** The hub's file tree; `koji` mounts are below it. */
  readonly topDir: string;
  /** Output of containers, one file each; out of every container's reach. */
  readonly logDir: string;
}

export interface ResolvedMounts {
  readonly mounts: readonly OciMount[];
  readonly overlayVolumes: readonly OverlayVolume[];
  /** Paths inside that must not be readable. */
  readonly masked: readonly string[];
  /** Containers whose roots are mounted, and those of them that are written to. */
  readonly lentBy: readonly ContainerId[];
  readonly filled: readonly ContainerId[];
}

type RootMount = Extract<Mount, { kind: 'root' }>;

/** Mounts a root for a container that is being made; `index` is its place among the mounts of the spec. */
export type MountRoot = (
  mount: RootMount,
  index: number,
) => Promise<{ readonly container: ContainerId; readonly mounted: MountedRoot }>;

/**
 * Finds the host's path of every mount of a spec. Rejects with `bad-spec` when a source is not there:
 * podman would make a directory of that name on the host. Roots are mounted by `lend`.
 */
export async function resolveMounts(
  spec: ContainerSpec,
  places: HostDirectories,
  roots: RootMounts,
  lend: MountRoot,
  signal: AbortSignal,
): Promise<ResolvedMounts> {
  const lentBy: ContainerId[] = [];
  const filled: ContainerId[] = [];
  const resolving = spec.mounts.map(async (mount, index) => {
    if (mount.kind !== 'root') return resolveMount(mount, places);
    const { container, mounted } = await lend(mount, index);
    lentBy.push(container);
    for (const path of kernelPlacesIn(mount, spec)) await roots.requireDirectory(container, path, signal);
    if (mount.access === 'copy') return { source: mounted.path, destination: mount.target };
    filled.push(container);
    return bindWritable(mounted.path, mount.target);
  });
  // Nothing may be mounted any more when the caller gives back what is held.
  await Promise.allSettled(resolving);
  const resolved = await Promise.all(resolving);
  return {
    mounts: resolved.filter((mount) => 'type' in mount),
    overlayVolumes: resolved.filter((mount) => !('type' in mount)),
    masked: spec.mounts.flatMap(maskedBelow),
    lentBy,
    filled,
  };
}

/** Part of a root, to be written to. */
export function bindWritable(source: string, target: string): OciMount {
  return bind(source, target, ['bind', 'rw', 'nosuid', 'nodev']);
}

/** Where the kernel's file systems are mounted in a lent root, as paths in there. */
function kernelPlacesIn(root: RootMount, spec: ContainerSpec): readonly string[] {
  return spec.mounts.flatMap(({ kind, target }) =>
    kind === 'kernel' && target.startsWith(join(root.target, '/')) ? [target.slice(root.target.length)] : [],
  );
}

/** What podman hides of a container's own /proc and /sys. */
const maskedNames = {
  proc: ['acpi', 'kcore', 'keys', 'latency_stats', 'timer_list', 'timer_stats', 'sched_debug', 'scsi'],
  sysfs: ['firmware', 'fs/selinux', 'dev/block'],
} as const;

function maskedBelow(mount: Mount): readonly string[] {
  return mount.kind === 'kernel' ? maskedNames[mount.fileSystem].map((name) => join(mount.target, name)) : [];
}

async function resolveMount(
  mount: Exclude<Mount, { kind: 'root' }>,
  places: HostDirectories,
): Promise<OciMount> {
  switch (mount.kind) {
    case 'work': {
      const source = await ownPath(places.workDir, mount.path);
      // z: containers of one task share directories. Without SELinux it means nothing.
      return bind(source, mount.target, ['bind', mount.readOnly ? 'ro' : 'rw', 'nosuid', 'nodev', 'z']);
    }
    case 'koji': {
      const source = join(places.topDir, mount.path);
      await existing(source);
      return bind(source, mount.target, ['bind', 'ro', 'nosuid', 'nodev']);
    }
    case 'kernel': {
      const { fileSystem: type, target } = mount;
      return { type, source: type, destination: target, options: ['ro', 'nosuid', 'nodev', 'noexec'] };
    }
    case 'scratch': {
      const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`];
      // notmpcopyup: podman would copy what the image has at that place.
      const options = ['rw', 'nosuid', 'nodev', 'mode=1777', 'notmpcopyup', ...size];
      return { type: 'tmpfs', source: 'tmpfs', destination: mount.target, options };
    }
    case 'host': {
      const { source, target, readOnly, relabel } = mount;
      const stats = await existing(source);
      const isDevice = stats.isCharacterDevice() || stats.isBlockDevice();
      // Not recursive when read-only: mounts below the source would stay writable.
      const access = readOnly ? ['bind', 'ro'] : ['rbind', 'rw'];
      const options = [
        ...access,
        'nosuid',
        isDevice ? 'dev' : 'nodev',
        ...(relabel === undefined ? [] : [relabel]),
      ];
      return bind(source, target, options);
    }
  }
}

function bind(source: string, destination: string, options: readonly string[]): OciMount {
  return { type: 'bind', source, destination, options: [...options, 'rprivate'] };
}

/** A path of the worker's area. Containers write there as well, so nothing on the way may be a link. */
async function ownPath(workDir: string, path: string): Promise<string> {
  const expected = join(await realpath(workDir), path);
  await existing(expected);
  const source = await realpath(expected);
  if (source !== join(expected, '.')) {
    throw new ContainerError(
      'bad-spec',
      `cannot mount ${expected}: there is a symbolic link on the way, to ${source}`,
    );
  }
  return source;
}

async function existing(source: string): Promise<Stats> {
  try {
    return await stat(source);
  } catch (error) {
    throw new ContainerError(
      'bad-spec',
      `cannot mount ${source}: it has to exist before the container is made`,
      {
        cause: error,
      },
    );
  }
}

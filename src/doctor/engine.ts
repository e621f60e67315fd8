import { describePackageManagers } from '../buildroot/plan/tag-settings.ts';
import { packageManagers } from '../buildroot/solve/package-managers.ts';
import { pythons } from '../buildroot/solve/rpm-transaction.ts';
import type { ImageInfo } from '../container/image-store.ts';
import type { RuntimeInfo } from '../container/step-runtime.ts';
import { quote } from '../core/bash.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

/** The engine that was reached. `started`: a private service that was not there before. */
export interface ReachedEngine {
  readonly socketPath: string;
  readonly kind: 'found' | 'private' | 'started';
}

export function judgeEngine(info: RuntimeInfo, { socketPath, kind }: ReachedEngine): Finding {
  const service = {
    found: '',
    private: ', a private service',
    started: ', a private service that was started now and stays, as the daemon would do',
  }[kind];
  return ok(
    'container engine',
    `${info.name} ${info.version}, ${info.rootless ? 'rootless' : 'rootful'}, on ${socketPath}${service}`,
  );
}

/** Podman's names of file systems that overlay cannot write its layers to; what it does not name the trial build finds out. */
const foreignFileSystems = new Set(['nfs', 'smb', 'cifs', 'ecryptfs', 'aufs']);

export function judgeStorage({ storageDriver, storagePath, details }: RuntimeInfo): Finding {
  const what = 'storage driver';
  const { fuse, storageOn: on } = details;
  if (storageDriver !== 'overlay') {
    return fail(
      what,
      `${storageDriver}, which copies the whole root for every container of a build`,
      'set driver = "overlay" in storage.conf(5) and run scripts/setup.sh again: it makes the image again in the new storage',
    );
  }
  const place = storagePath === null ? 'the graph root' : storagePath;
  if (on.hasFileTypes === false) {
    return fail(
      what,
      `overlay on ${on.fileSystem ?? 'a file system'} without d_type`,
      `${place} needs a file system that tells the types of files: make it again (mkfs.xfs -n ftype=1), or move graphroot in storage.conf(5) to ext4`,
    );
  }
  if (on.fileSystem !== null && foreignFileSystems.has(on.fileSystem)) {
    return fail(
      what,
      `overlay on ${on.fileSystem}`,
      `${place} needs a local file system that keeps owners, modes and extended attributes: move graphroot in storage.conf(5) to ext4, xfs or btrfs`,
    );
  }
  if (fuse === true) {
    return warn(
      what,
      'overlay through FUSE',
      'remove mount_program from storage.conf: kernels since 5.13 need none',
    );
  }
  return ok(what, on.fileSystem === null ? 'overlay' : `overlay on ${on.fileSystem}`);
}

/** `seen`: the limits that hold inside a container that asked for them; null when none could run. */
export function judgeLimits(info: RuntimeInfo, asked: SeenLimits, seen: SeenLimits | null): Finding {
  const what = 'limits of containers';
  const version = `cgroup ${info.cgroupVersion}`;
  if (!info.limitsEnforced) {
    const { missingControllers: missing } = info.details;
    const without =
      info.cgroupVersion === 'v1' || missing.length === 0 ? '' : ` without ${missing.join(', ')}`;
    return warn(
      what,
      `${version}${without}: the engine accepts them and ignores them`,
      `a build can take all of this host: ${limitsRemedy(info)}`,
    );
  }
  if (seen === null) return ok(what, `${version}: the engine says that it enforces them`);
  const off = (['pids', 'memoryBytes'] as const).filter((name) => seen[name] !== asked[name]);
  if (off.length === 0) return ok(what, `${version}: memory and pids hold inside a container`);
  const shown = off.map((name) => `${name} ${seen[name] ?? 'unknown'} instead of ${asked[name]}`).join(', ');
  return warn(
    what,
    `${version}: a container had ${shown}`,
    'see cgroup_manager and runtime in containers.conf(5)',
  );
}

/** How cgroups are given to an engine that has not all controllers. */
function limitsRemedy({ rootless, cgroupVersion }: RuntimeInfo): string {
  if (rootless && cgroupVersion === 'v1')
    return 'boot with systemd.unified_cgroup_hierarchy=1, or run the engine as root';
  return rootless
    ? 'write "[Service]" and "Delegate=cpu cpuset io memory pids" into /etc/systemd/system/user@.service.d/delegate.conf, run "systemctl daemon-reload", and start the user\'s session and the engine again'
    : 'write "[Service]" and "Delegate=yes" into /etc/systemd/system/UNIT.d/delegate.conf for the UNIT that runs the engine, run "systemctl daemon-reload", and start it again; in its own container it needs the controllers of that one';
}

/** What containers are filtered with: the engine's own profile, extended for builds, or as it is. */
export type SeenSeccomp =
  | { readonly kind: 'extended'; readonly from: string }
  | { readonly kind: 'own'; readonly because: string };

export function judgeSeccomp(seccomp: SeenSeccomp): Finding {
  const what = 'seccomp profile';
  if (seccomp.kind === 'extended') return ok(what, `${seccomp.from}, with personality(2) for builds`);
  return warn(
    what,
    `the engine's own protection as it is: ${seccomp.because}`,
    'packages that run "setarch -R" or gdb fail to build: install containers-common, or set seccomp_profile in containers.conf(5)',
  );
}

export interface SeenLimits {
  readonly pids: number | null;
  readonly memoryBytes: number | null;
}

const fewLocks = 100;

/** Each container and volume holds one of the engine's locks. Null when the engine does not tell. */
export function judgeLocks({ details }: RuntimeInfo): Finding | null {
  if (details.freeLocks === null) return null;
  if (details.freeLocks >= fewLocks) return ok("engine's locks", `${details.freeLocks} free`);
  return warn(
    "engine's locks",
    `${details.freeLocks} free`,
    'remove containers and volumes that are not needed, or raise num_locks in containers.conf and run "podman system renumber"',
  );
}

export function judgeImage(name: string, image: ImageInfo, hostArch: string): Finding {
  if (image.arch === hostArch) return ok('default image', `${name}, ${image.arch}`);
  return fail(
    'default image',
    `${name} is for ${image.arch}`,
    `this host is ${hostArch}: set task_image_default to an image for it`,
  );
}

/** `isLocal`: the name cannot be pulled. */
export function judgeMissingImage(
  name: string,
  problem: string,
  options: { readonly isLocal: boolean; readonly mayPull: boolean },
): Finding {
  if (options.isLocal) {
    return fail('default image', problem, 'scripts/setup.sh makes the one that belongs to this host');
  }
  if (!options.mayPull) return fail('default image', problem, `run "podman pull ${name}"`);
  return warn(
    'default image',
    `${name} is not on this host yet`,
    `the daemon pulls it when it starts; "podman pull ${name}" shows whether that works`,
  );
}

/** Something that a bootstrap image must be able to do. */
export interface ImageTool {
  readonly name: string;
  /** A command of sh that succeeds where it is there. */
  readonly check: string;
  /** The packages of a Fedora image that bring it. */
  readonly packages: string;
}

const anyManager = packageManagers.map(({ find }) => `{ ${find}; }`).join(' || ');

/** For a root of kind `tag` and for repos. */
export const imageTools: readonly ImageTool[] = [
  ...['bash', 'rpm', 'createrepo_c'].map((name) => ({ name, check: `command -v ${name}`, packages: name })),
  {
    name: "rpm's Python bindings",
    check: pythons.map((python) => `${python} -c 'import rpm'`).join(' || '),
    packages: 'python3-rpm',
  },
  {
    name: describePackageManagers('or'),
    check: `bash -c ${quote(anyManager)}`,
    packages: packageManagers.map(({ packages }) => packages).join(' or '),
  },
  {
    name: 'builddep',
    check: `bash -c ${quote(`{ ${anyManager}; } && "$manager" builddep --help`)}`,
    packages: 'dnf-plugins-core or dnf5-plugins',
  },
];

/** `missing`: names of tools. */
export function judgeTools(image: string, missing: readonly string[]): Finding {
  const what = 'tools of the default image';
  if (missing.length === 0) return ok(what, imageTools.map(({ name }) => name).join(', '));
  const packages = imageTools.flatMap((tool) => (missing.includes(tool.name) ? [tool.packages] : []));
  return fail(
    what,
    `${missing.join(', ')} missing`,
    `add ${packages.join('; ')} to ${image}, or set task_image_default to another image`,
  );
}

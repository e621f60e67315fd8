import { toLabels } from '../../labels.ts';
import type { ContainerSpec, ResourceLimits } from '../../spec.ts';
import { levelLabel } from './selinux-levels.ts';

declare global {
  interface JSON {
    /** ECMAScript proposal "JSON.parse source text access": stringified, the text stands as it is. */
    rawJSON(text: string): object;
  }
}

/** What had to be looked up or prepared on the host before a spec can become a request. */
export interface CreateContext {
  /** An image's name, or the mounted root of another container. */
  readonly root: { readonly image: string } | { readonly rootfs: string };
  readonly mounts: readonly OciMount[];
  readonly overlayVolumes: readonly OverlayVolume[];
  /** Paths inside to be hidden besides those that podman hides by itself. */
  readonly masked: readonly string[];
  /** File that conmon appends the output to. */
  readonly logPath: string;
  /** Path of a seccomp profile on the engine's host; left out: podman's own. */
  readonly seccompProfile?: string;
  /** Level of SELinux (`s0:c1,c2`); left out: the engine chooses one, where it labels at all. */
  readonly selinuxLevel?: string;
  /** For ulimits that the spec does not name. Must hold nofile and nproc: giving podman one drops the others of its own configuration. */
  readonly defaultUlimits: Ulimits;
}

export type Ulimits = Required<ResourceLimits>['ulimits'];

export interface OciMount {
  readonly type: 'bind' | 'tmpfs' | 'proc' | 'sysfs';
  readonly source: string;
  readonly destination: string;
  readonly options: readonly string[];
}

/** A bind mount with its own throw-away writable layer (`:O`). */
export interface OverlayVolume {
  readonly source: string;
  readonly destination: string;
}

/**
 * The body of libpod's create call: podman's SpecGenerator, of which these members are used. There is
 * none for privileges or the host's namespaces but its network; a member that is not here cannot be set.
 */
export interface CreateOptions {
  readonly name: string;
  readonly image?: string;
  readonly rootfs?: string;
  readonly rootfs_overlay?: true;
  readonly entrypoint: readonly string[];
  readonly command: readonly [];
  readonly env: Readonly<Record<string, string>>;
  readonly unsetenvall: true;
  readonly work_dir: string;
  readonly user: string;
  readonly hostname: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cap_drop: readonly ['ALL'];
  readonly cap_add: readonly string[];
  readonly no_new_privileges: true;
  readonly seccomp_profile_path?: string;
  readonly selinux_opts?: readonly string[];
  readonly netns: { readonly nsmode: 'none' | 'host' };
  readonly pidns: { readonly nsmode: 'private' };
  readonly ipcns: { readonly nsmode: 'private' };
  readonly utsns: { readonly nsmode: 'private' };
  readonly use_image_hosts: boolean;
  readonly use_image_resolve_conf: boolean;
  readonly use_image_hostname: true;
  readonly mounts: readonly OciMount[];
  readonly overlay_volumes: readonly OverlayVolume[];
  readonly mask: readonly string[];
  readonly devices?: readonly { readonly path: string }[];
  readonly image_volume_mode: 'ignore';
  readonly resource_limits: object;
  readonly r_limits: readonly {
    readonly type: string;
    readonly soft: number | object;
    readonly hard: number | object;
  }[];
  readonly log_configuration:
    | { readonly driver: 'k8s-file'; readonly path: string; readonly size: number }
    | { readonly driver: 'none' };
  readonly terminal?: boolean;
  readonly stdin?: true;
  readonly manage_password: false;
  readonly httpproxy: false;
  readonly systemd: 'false';
  readonly restart_policy: 'no';
  readonly umask: '0022';
}

/** No log is ever cut: the operator's `log_size_max` does not hold for ours. */
const unlimitedLogBytes = 2 ** 50;
const cpuPeriodUs = 100_000;

/** The create request for a spec that `checkSpec` has passed. Pure. */
export function toCreateOptions(spec: ContainerSpec, context: CreateContext): CreateOptions {
  const { shmBytes } = spec.limits;
  const { selinuxLevel } = context;
  const seccomp = spec.seccompProfile ?? context.seccompProfile;
  return {
    name: spec.name,
    ...('image' in context.root
      ? { image: context.root.image }
      : { rootfs: context.root.rootfs, rootfs_overlay: true as const }),
    // The whole command as entry point, so that nothing of the image's own is put before or after it.
    entrypoint: [...spec.command],
    command: [],
    env: { ...spec.env },
    // Nothing of the image's own, nor podman's "container".
    unsetenvall: true,
    work_dir: spec.workdir,
    user: `${spec.user.uid}:${spec.user.gid}`,
    hostname: spec.hostname,
    labels: {
      ...spec.labels,
      ...toLabels(spec.owner),
      ...(selinuxLevel === undefined ? {} : { [levelLabel]: selinuxLevel }),
    },
    cap_drop: ['ALL'],
    cap_add: [...spec.capabilities],
    no_new_privileges: true,
    ...(seccomp === undefined ? {} : { seccomp_profile_path: seccomp }),
    ...(selinuxLevel === undefined ? {} : { selinux_opts: [`level:${selinuxLevel}`] }),
    netns: { nsmode: spec.network },
    pidns: { nsmode: 'private' },
    ipcns: { nsmode: 'private' },
    utsns: { nsmode: 'private' },
    // Without network these are the root's own: podman would mount some with the host's entries over them.
    use_image_hosts: spec.network === 'none',
    use_image_resolve_conf: spec.network === 'none',
    // Since podman 5.3; others mount a file with the host name over the root's.
    use_image_hostname: true,
    mounts: shmBytes === undefined ? context.mounts : [...context.mounts, sharedMemory(shmBytes)],
    overlay_volumes: context.overlayVolumes,
    mask: context.masked,
    ...(spec.devices === undefined ? {} : { devices: spec.devices.map((path) => ({ path })) }),
    image_volume_mode: 'ignore',
    resource_limits: toResourceLimits(spec.limits),
    r_limits: toRlimits({ ...context.defaultUlimits, ...spec.limits.ulimits }),
    ...(spec.interactive === undefined
      ? { log_configuration: { driver: 'k8s-file', path: context.logPath, size: unlimitedLogBytes } }
      : {
          log_configuration: { driver: 'none' },
          terminal: spec.interactive === 'terminal',
          stdin: true as const,
        }),
    // Podman would add a line for an unknown uid to the root's passwd.
    manage_password: false,
    httpproxy: false,
    systemd: 'false',
    restart_policy: 'no',
    umask: '0022',
  };
}

/** As podman would mount it, but programs may be run from it: libffi and compilers at run time need that. */
function sharedMemory(sizeBytes: number): OciMount {
  const options = ['rw', 'nosuid', 'nodev', 'exec', 'mode=1777', 'notmpcopyup', `size=${sizeBytes}`];
  return { type: 'tmpfs', source: 'shm', destination: '/dev/shm', options };
}

function toResourceLimits(limits: ResourceLimits): object {
  const { memoryBytes, cpus } = limits;
  return {
    pids: { limit: limits.pids },
    ...(memoryBytes === undefined ? {} : { memory: { limit: memoryBytes, swap: memoryBytes } }),
    ...(cpus === undefined ? {} : { cpu: { quota: Math.round(cpus * cpuPeriodUs), period: cpuPeriodUs } }),
  };
}

function toRlimits(ulimits: Ulimits): CreateOptions['r_limits'] {
  return Object.entries(ulimits).map(([type, { soft, hard }]) => ({
    type,
    soft: toRlimit(soft),
    hard: toRlimit(hard),
  }));
}

/** Podman takes RLIM_INFINITY as the number it is, which is no number of this language. */
function toRlimit(limit: number): number | object {
  return limit === -1 ? JSON.rawJSON('18446744073709551615') : limit;
}

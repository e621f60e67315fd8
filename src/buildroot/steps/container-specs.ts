import { containerName } from '../../container/names.ts';
import type { DraftSpec } from '../../container/root-store.ts';
import type {
  Capability,
  ContainerId,
  ContainerSpec,
  DraftRoot,
  FailedStepRoot,
  KeptRoot,
  Mount,
  ResourceLimits,
} from '../../container/spec.ts';
import type { BuildrootHost } from '../host.ts';
import { buildUser, planEnvironment } from '../plan/mock-environment.ts';
import type { RootRequest } from '../plan/root-request.ts';
import { processesOf } from './parallelism.ts';

const installCapabilities: readonly Capability[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETFCAP',
  'SETGID',
  'SETUID',
  'SYS_CHROOT',
];
const solveCapabilities: readonly Capability[] = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'];

/** Files a scriptlet may need while the root has no /dev of its own. */
const installDevices = ['null', 'zero', 'full', 'random', 'urandom'];

/** Where an install phase finds the package cache. */
export const cachedPackages = '/adjutant/cache';

/**
 * Solves against the root of `parent`, or against nothing; fetches only metadata and executes nothing of a package.
 * `localRepos`: directories of this host that the repo's `file:` URLs name.
 */
export function solveContainer(
  host: BuildrootHost,
  request: RootRequest,
  attempt: number,
  parent: KeptRoot | null,
  localRepos: readonly string[],
): ContainerSpec {
  const { work } = request.directory;
  const root: readonly Mount[] =
    parent === null ? [] : [{ kind: 'root', root: parent, target: '/mnt/root', access: 'copy' }];
  const container = bootstrapContainer(host, request, 'solve', attempt);
  return {
    ...container,
    env: { ...container.env, ...host.network.proxies },
    command: ['/bin/bash', `/adjutant/in/solve-${attempt}.sh`],
    capabilities: solveCapabilities,
    network: 'host',
    mounts: [
      input(request),
      { kind: 'work', path: `${work}/solve`, target: '/adjutant/solve', readOnly: false },
      ...localRepos.map((path): Mount => ({ kind: 'host', source: path, target: path, readOnly: true })),
      ...root,
    ],
  };
}

/**
 * Installs packages of the cache into the root of `into`, without network. Scriptlets run in here, as root and, as soon as they
 * want, outside of that root: nothing of the host that they could write to may be mounted.
 */
export function installContainer(
  host: BuildrootHost,
  request: RootRequest,
  attempt: number,
  into: DraftRoot,
): ContainerSpec {
  const { work } = request.directory;
  return {
    ...bootstrapContainer(host, request, 'install', attempt),
    command: ['/bin/bash', `/adjutant/in/install-${attempt}.sh`],
    capabilities: installCapabilities,
    network: 'none',
    mounts: [
      input(request),
      { kind: 'work', path: `${work}/packages-${attempt}`, target: cachedPackages, readOnly: true },
      { kind: 'root', root: into, target: '/mnt/root', access: 'write' },
      { kind: 'kernel', fileSystem: 'proc', target: '/mnt/root/proc' },
      { kind: 'kernel', fileSystem: 'sysfs', target: '/mnt/root/sys' },
      ...installDevices.map(
        (name): Mount => ({
          kind: 'host',
          source: `/dev/${name}`,
          target: `/mnt/root/dev/${name}`,
          // Of the file, whose owner and mode would be the host's to change; what is behind it can be written to.
          readOnly: true,
        }),
      ),
    ],
  };
}

/**
 * Lists what is in the root of `into` after an install step, in a copy of it: the first container after it that has run no code
 * of a package.
 */
export function listContainer(
  host: BuildrootHost,
  request: RootRequest,
  attempt: number,
  into: DraftRoot,
): ContainerSpec {
  const { work } = request.directory;
  return {
    ...bootstrapContainer(host, request, 'list', attempt),
    command: ['/bin/bash', `/adjutant/in/list-${attempt}.sh`],
    capabilities: [],
    network: 'none',
    mounts: [
      input(request),
      { kind: 'work', path: `${work}/packages-${attempt}`, target: cachedPackages, readOnly: true },
      { kind: 'root', root: into, target: '/mnt/root', access: 'copy' },
    ],
  };
}

/** A root for packages to be put into, on another or on nothing. */
export function rootDraft(
  host: BuildrootHost,
  request: RootRequest,
  attempt: number,
  parent: KeptRoot | null,
): DraftSpec {
  const { name, owner, labels } = identity(host, request, 'root', attempt);
  return { name, owner, labels, parent };
}

/**
 * Runs package code: in its own layer on a root, or in the one that an earlier step of the package has left,
 * `after`, which may have run on a root with fewer packages.
 */
export function codeContainer(
  host: BuildrootHost,
  request: RootRequest,
  step: { readonly phase: string; readonly attempt: number },
  on: KeptRoot,
  after: ContainerId | null,
): ContainerSpec {
  return {
    ...sealedContainer(host, request, step.phase, step.attempt),
    root: { kind: 'layer', on, ...(after !== null && { after }) },
    command: ['/bin/bash', `/adjutant/in/${step.phase}-${step.attempt}.sh`],
  };
}

/**
 * As sandboxed as the code that has failed in `root`, for inspection: home and temporary files are
 * those that it has left and stay, the rest is thrown away. Its name, owner and command are made when the shell is opened.
 */
export function shellContainer(
  host: BuildrootHost,
  request: RootRequest,
  root: FailedStepRoot,
): ContainerSpec {
  const spec = sealedContainer(host, request, 'shell', 1);
  const { diskBytes: _disk, logBytes: _log, idleMs: _idle, ...limits } = spec.limits;
  // The task's directory is gone by then.
  const mounts: readonly Mount[] = spec.mounts.filter(({ kind }) => kind !== 'work');
  const stays = [buildUser.home, '/tmp', '/var/tmp'].filter(
    (path) => !mounts.some(({ target }) => target === path),
  );
  return {
    ...spec,
    root: { kind: 'visit', root, stays },
    command: ['/bin/bash'],
    limits,
    mounts,
    workdir: buildUser.home,
  };
}

/** A container for package code, with all that the operator opens to it and limits. */
function sealedContainer(host: BuildrootHost, request: RootRequest, phase: string, attempt: number) {
  const plain = packageContainer(host, request, phase, attempt);
  return { ...plain, ...host.granted, limits: { ...plain.limits, ...host.codeLimits } };
}

/** What the packages of a buildroot or the metadata of its repos take by themselves is no matter of `build_disk`. */
const allowanceBytes = 8 * 2 ** 30;

/** How much a step may write and say that installs or solves. */
function roomLimits({ codeLimits: { diskBytes, logBytes } }: BuildrootHost): Partial<ResourceLimits> {
  return {
    ...(diskBytes !== undefined && { diskBytes: diskBytes + allowanceBytes }),
    ...(logBytes !== undefined && { logBytes }),
  };
}

/** A container of the bootstrap image: root inside, no package code but scriptlets in a chroot. */
function bootstrapContainer(host: BuildrootHost, request: RootRequest, phase: string, attempt: number) {
  return {
    ...identity(host, request, phase, attempt),
    // Scriptlets are package code, too; that they say nothing for a while is no sign of anything.
    limits: { ...host.limits, ...roomLimits(host) },
    root: { kind: 'image', image: request.image },
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C.UTF-8' },
    workdir: '/',
    user: { uid: 0, gid: 0 },
  } as const satisfies Partial<ContainerSpec>;
}

/** A container that runs package code: the build user, no capability, no network but what the tag's policy asks for. */
function packageContainer(host: BuildrootHost, request: RootRequest, phase: string, attempt: number) {
  return {
    ...identity(host, request, phase, attempt),
    // As mock does; where there is no network a proxy would only lead tests astray.
    env: {
      ...(request.network === 'host' ? host.network.proxies : {}),
      ...planEnvironment(request.extra, processesOf(host)),
    },
    workdir: '/',
    user: { uid: buildUser.uid, gid: buildUser.gid },
    capabilities: [],
    network: request.network,
    mounts: [input(request), ...host.extraMounts],
  } as const satisfies Partial<ContainerSpec>;
}

function input(request: RootRequest): Mount {
  return { kind: 'work', path: `${request.directory.work}/in`, target: '/adjutant/in', readOnly: true };
}

function identity(host: BuildrootHost, request: RootRequest, phase: string, attempt: number) {
  return {
    name: containerName(host.workerId, request.taskId, request.buildrootId, phase, attempt),
    hostname: host.hostname,
    isolation: 'plain',
    limits: host.limits,
    labels: host.labels,
    owner: {
      workerId: host.workerId,
      taskId: request.taskId,
      buildrootId: request.buildrootId,
      phase,
      attempt,
    },
  } as const satisfies Partial<ContainerSpec>;
}

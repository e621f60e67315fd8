import { acceptRules } from './accept-rules.ts';
import { option, unset } from './option.ts';
import {
  absolutePath,
  boolean,
  choice,
  containerLabels,
  containerMounts,
  containerTimeouts,
  hostAndPort,
  integer,
  positiveDecimal,
  requiredDirectory,
  seconds,
  size,
  sizeOfAtLeast,
  text,
  unixSocket,
} from './parsers.ts';

/**
 * What each container needs at the least: with less memory an OCI runtime cannot start one, with fewer processes rpmbuild
 * cannot run a shell, and a smaller share of processors the kernel does not take.
 */
export const leastLimits = { memoryBytes: 4 * 2 ** 20, pids: 4, cpus: 0.01 } as const;

/** Stands for Koji's name of the architecture in `task_image_default`. */
export const ARCH_PLACEHOLDER = '<arch>';

/** Stands for kojid's `workdir` in the default of `state_dir`. */
export const WORKDIR_PLACEHOLDER = '<workdir>';

/** The keys that kojid does not have: section `[adjutant]` of adjutant.conf. */
export const adjutantOptions = {
  podman_socket: unset(
    unixSocket,
    'Socket of the container engine. Not set: $CONTAINER_HOST, /run/podman/podman.sock (as root), $XDG_RUNTIME_DIR/podman/podman.sock; with none of them a private service is started.',
  ),
  state_dir: option(
    requiredDirectory,
    `${WORKDIR_PLACEHOLDER}/adjutant`,
    'Where running tasks keep their files and their journal, and where fetched packages are cached. It becomes readable for the user of the daemon alone. What lies in its `tasks` and belongs to no running task is removed at each start.',
  ),
  snapshot_budget: unset(
    size,
    'How much prepared buildroots may take in container storage; those that were not used for the longest time go first. Not set: a fifth of the disk.',
  ),
  package_budget: unset(
    size,
    'How much fetched packages may take below `state_dir`. Not set: a tenth of the disk.',
  ),
  failed_buildroot_budget: unset(
    size,
    'How much the buildroots of failed builds may take that are kept for `failed_buildroot_lifetime` (kojid.conf). Not set: a tenth of the disk.',
  ),
  accept: option(
    acceptRules,
    '',
    'What the host takes of the tasks it is given: `methods`, `tags` (build tags) and `scratch` must all fit; everything else is refused for good. Empty: everything.',
  ),
  assign_children: option(
    choice('auto', 'yes', 'no'),
    'auto',
    "Whether this host opens the children of its own tasks (rebuildSRPM, buildArch, tagBuild, createrepo ...) at once instead of waiting for the next run of the hub's scheduler. auto: where it has room and nothing that it could run comes before them in the hub's queue; yes: where it has room; no: never. Only for hubs from 1.34 on: before, every host chooses its tasks.",
  ),
  task_image_default: option(
    text,
    `localhost/koji-adjutant-bootstrap:${ARCH_PLACEHOLDER}`,
    `Image when no policy of the hub names one; ${ARCH_PLACEHOLDER} stands for the architecture.`,
  ),
  image_pull_policy: option(
    choice('if-not-present', 'always', 'never'),
    'if-not-present',
    'When images are pulled.',
  ),
  policy_enabled: option(boolean, 'yes', "Heed the tags' adjutant_image_policy."),
  policy_cache_ttl: option(seconds(0), '300', 'How long the policy of a tag is remembered.'),
  buildroot_enabled: option(
    boolean,
    'yes',
    'no would run rpmbuild in the image itself, which this builder cannot do: it does not start with it.',
  ),
  network_enabled: option(
    boolean,
    'no',
    "Permit policies that ask for network (the host's, for rpmbuild); a build has none unless they do. no: such tasks are refused, so that another host takes them. yes: such a build reaches what this host reaches, the loopback and abstract sockets included.",
  ),
  container_mounts: option(
    containerMounts,
    '',
    'Mounts added to every container that runs code of a package; `site_file` opens more, and for chosen builds only.',
  ),
  site_file: unset(
    absolutePath,
    'File with what is granted to builds of chosen tags or channels: devices, mounts, tmpfs, ulimits, /dev/shm, seccomp (docs/site-file.md). Not set: nothing.',
  ),
  container_labels: option(
    containerLabels,
    '',
    'Labels added to every container; io.koji.adjutant.worker_id and the like are always there.',
  ),
  container_timeouts: option(
    containerTimeouts({ pullMs: 300_000, startMs: 60_000 }),
    'pull=300,start=60',
    'How long a pull of an image, and any one request to the engine, may take. `stop_grace=` is accepted with a warning: the containers of a stopped task are killed at once.',
  ),
  build_pids: unset(
    integer(leastLimits.pids),
    "Most processes and threads in a container. Not set: what lets `maxjobs` builds have half of the host's process ids (`kernel.pid_max`), at most 16384.",
  ),
  build_memory: unset(
    sizeOfAtLeast(leastLimits.memoryBytes / 2 ** 20),
    'Most memory of a container, swap included. rpm starts no more processes (`%_smp_ncpus_max`) than one for each 512M of it. Not set: no limit.',
  ),
  build_cpus: unset(
    positiveDecimal(leastLimits.cpus),
    'Processors of a container; more than the host has are no limit. rpm starts no more processes (`%_smp_ncpus_max`), a fraction counts as one. `nproc` still counts those of the host. Not set: all.',
  ),
  build_disk: unset(
    size,
    'Most disk of a build. It is killed when it has written more; up to five seconds may pass until then. Not set: no limit.',
  ),
  build_log_limit: option(
    size,
    '1G',
    'Most output of a build, as the engine keeps it: with some 45 bytes before each line. A build with more is killed, and fails also when it ended first. Empty: no limit.',
  ),
  build_idle_timeout: option(
    seconds(0),
    '0',
    'Longest time for which a build may write no output; it is killed then. 0: no limit, as under kojid.',
  ),
  solve_timeout: option(
    seconds(0),
    '900',
    'Longest time for one run of the package manager that finds out what a buildroot needs. It is killed then and tried once more; after that the task goes to another host. 0: no limit.',
  ),
  install_timeout: option(
    seconds(0),
    '3600',
    'Longest time for the installation of packages into a buildroot. It is killed then and tried once more in a fresh one; after that the task fails, as a fault of the builder. 0: no limit.',
  ),
  createrepo_timeout: option(
    seconds(0),
    '14400',
    'Longest time for one run of createrepo_c or mergerepo_c. It is killed then and tried once more; after that the task goes to another host. 0: no limit.',
  ),
  shm_size: unset(size, "Size of /dev/shm. Not set: half of the host's memory, as under mock."),
  shutdown: option(
    choice('handover', 'drain', 'free'),
    'handover',
    'What SIGTERM does with running tasks. handover: their containers continue, and the next start resumes them; drain: the daemon waits until they have ended; free: they are stopped and go back to the queue.',
  ),
  handover_limit: option(
    seconds(1),
    '600',
    'How long tasks wait for the next start after a handover, a crash or `kill -9`; then they are stopped and go back to the queue. The hub takes them away after 900 s.',
  ),
  shutdown_grace: option(seconds(1), '60', 'How long stopping and freeing the running tasks may take.'),
  monitoring_enabled: option(boolean, 'no', 'Show `/metrics` for Prometheus, and `/healthz`.'),
  monitoring_bind: option(
    hostAndPort,
    '127.0.0.1:8080',
    'Where they are shown; anybody who gets there may read them.',
  ),
  monitoring_container_history_ttl: option(seconds(0), '3600', 'How long ended containers are shown.', {
    ignored: 'no such list is shown yet',
  }),
  monitoring_task_history_ttl: option(seconds(0), '3600', 'How long ended tasks are shown.', {
    ignored: 'no such list is shown yet',
  }),
};

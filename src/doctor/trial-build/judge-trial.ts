import { BuildrootStepFailed } from '../../buildroot/errors.ts';
import { packageStepOf } from '../../buildroot/steps/step-titles.ts';
import { ContainerError } from '../../container/errors.ts';
import type { RuntimeInfo } from '../../container/step-runtime.ts';
import { describeError } from '../../core/errors.ts';
import type { BuildStep } from '../../standalone/build-locally.ts';
import { type Finding, fail, ok, warn } from '../finding.ts';
import type { limitTrials } from './trial-scripts.ts';

/** The parts of a trial build, in their order. */
export type TrialPart =
  | 'work area'
  | 'packages'
  | 'solve'
  | 'fetch'
  | 'install'
  | 'snapshot'
  | 'rpmbuild'
  | 'results'
  | 'limits'
  | 'clean-up';

/** What a finding about a part is called. */
export function trialName(part: TrialPart): string {
  return `trial build: ${part}`;
}

/** The part that a step of a build belongs to, by its name in `state.log`. */
export function partOfStep(step: string): TrialPart {
  const found = packageStepOf(step);
  if (found !== null) return found === 'list' ? 'install' : found;
  return step.startsWith('keeping ') ? 'snapshot' : 'rpmbuild';
}

/** What the trial knows of the host, for the remedies. */
export interface TrialHost {
  readonly info: RuntimeInfo;
  readonly image: string;
  /** Of this process. */
  readonly umask: number;
  /** The work area, on this host. */
  readonly directory: string;
}

export interface TrialFailure {
  readonly part: TrialPart;
  readonly error: unknown;
  /** The end of what the step has written. */
  readonly lines: readonly string[];
}

/** A part that has failed: which step, why, its last lines, and what to change. */
export function judgeFailure({ part, error, lines }: TrialFailure, host: TrialHost): Finding {
  const said = `${describeError(error)}\n${lines.join('\n')}`;
  const remedy = causes.find(({ parts, sign }) => parts.includes(part) && sign.test(said))?.remedy(host);
  const reason = describeReason(error);
  const usualRemedy = usual(part, host);
  // The engine's error may have said it already.
  const isSaid = reason.includes(usualRemedy);
  return { ...fail(trialName(part), reason, isSaid ? null : (remedy ?? usualRemedy)), lines };
}

/** What the engine has said stands in its error whole, and in what caused that once more. */
function describeReason(error: unknown): string {
  if (error instanceof BuildrootStepFailed) return describeStep(error);
  return error instanceof ContainerError ? error.message : describeError(error);
}

/** Without the log that the reader of a task would be sent to. */
function describeStep({ step, status, limit }: BuildrootStepFailed): string {
  const why = limit === null ? '' : `: ${limit}`;
  return /\(status \d+\)/.test(step) ? `${step} failed${why}` : `${step} failed (status ${status})${why}`;
}

interface Cause {
  readonly parts: readonly TrialPart[];
  /** In the error, or in the last lines. */
  readonly sign: RegExp;
  remedy(host: TrialHost): string;
}

const octal = (mode: number) => mode.toString(8).padStart(4, '0');

const causes: readonly Cause[] = [
  {
    parts: [
      'work area',
      'packages',
      'solve',
      'fetch',
      'install',
      'snapshot',
      'rpmbuild',
      'results',
      'clean-up',
    ],
    sign: /no space left on device|disk quota exceeded/i,
    remedy: ({ info, directory }) =>
      `free some space at ${[info.storagePath, info.details.runPath, directory].filter((path) => path !== null).join(', ')}`,
  },
  {
    parts: ['solve'],
    sign: /status 139|SIGSEGV|segmentation fault/i,
    remedy: ({ image }) =>
      `the package manager of ${image} crashes: set task_image_default to another image, or update the image (libcomps before 0.1.22 crashes on every group with Python 3.13.1 or newer)`,
  },
  {
    parts: ['install', 'rpmbuild', 'solve'],
    sign: /must be mounted at the root/,
    remedy: ({ info }) =>
      `${runtimeOf(info)} refuses a mount that builds need: set runtime = "runc" in containers.conf(5), or update it`,
  },
  {
    parts: ['rpmbuild'],
    sign: /status 12[67]|permission denied/i,
    remedy: ({ umask, directory }) =>
      (umask & 0o055) === 0
        ? `the build user cannot run its script: look for "noexec" or access control lists at ${directory}, and for denials of SELinux or AppArmor ("ausearch -m avc -ts recent", "dmesg")`
        : `the build user (uid 1000) has to read files of ${directory}: start with umask 0022, it is ${octal(umask)} (UMask= of the unit)`,
  },
  {
    parts: ['work area', 'packages', 'solve', 'install'],
    sign: /permission denied/i,
    remedy: ({ directory }) =>
      `containers may not use ${directory}: look for denials of SELinux or AppArmor ("ausearch -m avc -ts recent", "dmesg"), and let the engine's user read it`,
  },
  {
    parts: ['install', 'snapshot', 'rpmbuild'],
    sign: /cap_set_file|capabilit|operation not (permitted|supported)|not as their packages say|owner, mode or links|to another user/i,
    remedy: ({ info }) =>
      `owners, modes and file capabilities have to be kept in ${info.storagePath ?? "the engine's storage"}: move graphroot in storage.conf to ext4, xfs or btrfs on a local disk, without "noxattr" or "nosuid" mounts over it`,
  },
  {
    parts: ['work area', 'solve', 'install', 'rpmbuild', 'packages'],
    sign: /oci runtime|crun:|runc:|exit status \d+/i,
    remedy: ({ info }) =>
      `${runtimeOf(info)} cannot start a container that builds need: try another runtime in containers.conf(5)`,
  },
];

function runtimeOf({ details }: RuntimeInfo): string {
  return details.runtime === null ? 'the OCI runtime' : `the OCI runtime ${details.runtime}`;
}

function usual(part: TrialPart, { image, info }: TrialHost): string {
  switch (part) {
    case 'work area':
      return 'the engine has to run on this host and see its files: name its socket with podman_socket or CONTAINER_HOST';
    case 'packages':
    case 'solve':
      return `the package manager of ${image} has to work: set task_image_default to another image, or make it again`;
    case 'fetch':
      return 'packages of the trial lie on this host: look at the disk';
    case 'snapshot':
      return `the engine has to keep the roots of builds: look at its log and its storage${info.storagePath === null ? '' : ` at ${info.storagePath}`}`;
    case 'clean-up':
      return 'see the log of the engine, and remove it by hand';
    case 'limits':
      return 'see cgroup_manager and runtime in containers.conf(5)';
    case 'install':
    case 'rpmbuild':
    case 'results':
      return 'read the lines below; a build of any package would fail in the same way';
  }
}

/** What has come of a build that was to succeed. */
export interface TrialBuilt {
  readonly steps: readonly BuildStep[];
  /** Titles of roots that were taken from snapshots. */
  readonly fromSnapshot: readonly string[];
  /** Names of the packages. */
  readonly packages: readonly string[];
  /** What was wrong with them; null when nothing was. */
  readonly problem: string | null;
  /** The output had the first line of the script and the last. */
  readonly outputComplete: boolean;
}

/** What was done with what, for findings that say what was tried. */
export interface TrialTools {
  /** Null: a stand-in was used. */
  readonly rpm: string;
  readonly hasRpmbuild: boolean;
  readonly hasUseradd: boolean;
}

/** The findings about a first build, which made all it needs, and a second one that found it prepared. */
export function judgeBuilds(first: TrialBuilt, second: TrialBuilt, tools: TrialTools): readonly Finding[] {
  const times = (part: TrialPart, { steps } = first) =>
    steps.filter(({ name }) => partOfStep(name) === part).map(({ tookMs }) => tookMs);
  return [
    ok(trialName('solve'), `a group and build requirements, ${seconds(times('solve'))}`),
    ok(
      trialName('install'),
      `packages with ${tools.hasUseradd ? 'useradd' : 'users (no useradd in the image: written by the scriptlet)'}, other owners, setuid and file capabilities; /proc, /sys and /dev/null seen; ${seconds(times('install'))}`,
    ),
    judgeSnapshots(second, times('install', second).length > 0),
    judgeOutput(first, second, tools, seconds([...times('rpmbuild'), ...times('rpmbuild', second)])),
    judgeResults(first, second),
  ];
}

const wantedSnapshots = 2;

function judgeSnapshots({ fromSnapshot }: TrialBuilt, installedAgain: boolean): Finding {
  if (fromSnapshot.length >= wantedSnapshots && !installedAgain)
    return ok(trialName('snapshot'), 'packages were added to one, and the second build ran on another');
  return fail(
    trialName('snapshot'),
    'the second build had to make its root again',
    'the engine loses images: look at its log, and at what else removes images on this host',
  );
}

function judgeOutput(first: TrialBuilt, second: TrialBuilt, tools: TrialTools, took: string): Finding {
  if (!first.outputComplete || !second.outputComplete)
    return fail(
      trialName('rpmbuild'),
      'lines of the output are missing',
      'the engine has to write the log of its containers (log driver k8s-file) where this host can read it',
    );
  const program = tools.hasRpmbuild
    ? `${tools.rpm.replace(/^RPM version /, 'rpmbuild ')}`
    : 'a stand-in for rpmbuild, which the image has not,';
  return ok(
    trialName('rpmbuild'),
    `${program} as uid 1000, without network, twice; the root is what its packages say; ${took}`,
  );
}

function judgeResults(first: TrialBuilt, second: TrialBuilt): Finding {
  const problem = first.problem ?? second.problem;
  if (problem === null) return ok(trialName('results'), `${first.packages.join(', ')}, read on this host`);
  return fail(trialName('results'), problem, 'the engine has to give back what a build has made');
}

/** What has come of a build that takes more than it may. */
export interface TriedLimit {
  readonly limit: (typeof limitTrials)[number]['limit'];
  readonly what: string;
  /** The limit that the failure names, in words; null when it names none. */
  readonly named: string | null;
}

/** Limits of memory and processes are the engine's, those of disk are watched by the daemon. */
export function judgeLimitTrials(tried: readonly TriedLimit[], info: RuntimeInfo): Finding {
  const name = trialName('limits');
  const held = tried.filter(({ named }) => named !== null);
  const missed = tried.filter(({ named }) => named === null);
  const found = held.map(({ named }) => named).join(', ');
  if (missed.length === 0) return ok(name, `builds that took too much were ${found}`);
  const words = `the limit of ${missed.map(({ what }) => what).join(' and ')} did not stop a build`;
  const all = found === '' ? words : `${words}; others were ${found}`;
  // What the engine says that it does not do is told by the finding about the limits of containers.
  const expected = missed.every(({ limit }) => limit !== 'disk') && !info.limitsEnforced;
  return expected
    ? warn(name, `${all} (this engine ignores limits)`, null)
    : fail(
        name,
        all,
        "see cgroup_manager and runtime in containers.conf(5), and Delegate= of the engine's service",
      );
}

/** What is left when the trial is over. */
export function judgeCleanUp(left: {
  readonly containers: readonly string[];
  readonly images: readonly string[];
  readonly files: readonly string[];
}): Finding {
  const all = [
    ...left.containers.map((name) => `container ${name}`),
    ...left.images.map((name) => `image ${name}`),
    ...left.files,
  ];
  if (all.length === 0) return ok(trialName('clean-up'), 'no container, image or file is left');
  return fail(
    trialName('clean-up'),
    `${all.join(', ')} left`,
    'see the log of the engine, and remove it by hand',
  );
}

function seconds(times: readonly number[]): string {
  return times.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(' and ');
}

import { type Mishap, mishaps } from '../../test/support/faulty-proxy.ts';
import { SeededRandom } from '../fuzz/mutator.ts';

/** What a task of a plan does. */
export type TaskKind =
  | 'sleep'
  | 'fork'
  | 'waittest'
  | 'subtask'
  | 'failing'
  | 'canceled'
  | 'tagBuild'
  | 'newRepo'
  | 'build';

export interface PlannedTask {
  readonly kind: TaskKind;
  /** Chosen at random for the task, at least 0 and below 1. */
  readonly dice: number;
}

/** Trouble that has nothing to do with a call. */
export type Blow =
  /** SIGKILL of the daemon when a call of this method passes. */
  | { readonly kind: 'kill'; readonly method: string; readonly when: 'request' | 'reply' }
  /** SIGKILL of the daemon when a container of this phase begins or ends. */
  | { readonly kind: 'kill'; readonly phase: string; readonly when: 'start' | 'died' }
  /** The engine's service is killed and started again. */
  | { readonly kind: 'engine' }
  /** The file system of the work area is full for a while. */
  | { readonly kind: 'disk' }
  /** The clock of the daemon's machine is set, as it sees it. */
  | { readonly kind: 'clock' };

/** What happens to a call: to the next one of a method, or to any. */
export interface PlannedMishap {
  readonly method: string | null;
  readonly kind: Mishap;
}

export interface Plan {
  readonly tasks: readonly PlannedTask[];
  readonly blows: readonly Blow[];
  readonly mishaps: readonly PlannedMishap[];
}

/** How often each kind comes among a hundred tasks. */
const shares: readonly (readonly [TaskKind, number])[] = [
  ...([
    ['sleep', 30],
    ['fork', 12],
    ['waittest', 8],
    ['subtask', 12],
    ['failing', 8],
    ['canceled', 8],
  ] as const),
  ...([
    ['tagBuild', 14],
    ['newRepo', 3],
    ['build', 5],
  ] as const),
];

/** The steps of a task that the hub sees; a daemon may be killed at each of them, before and after. */
const steps = [
  ...[
    'host.getTasks',
    'host.openTask',
    'host.setTaskWeight',
    'subsession',
    'host.closeTask',
    'host.failTask',
  ],
  ...['host.subtask', 'host.taskSetWait', 'host.taskWait', 'host.taskWaitResults', 'host.getHostTasks'],
  ...['host.newBuildRoot', 'host.setBuildRootList', 'host.setBuildRootState', 'host.updateBuildRootList'],
  ...[
    'rawUpload',
    'checkUpload',
    'host.moveBuildToScratch',
    'host.tagBuild',
    'host.repoInit',
    'host.repoDone',
  ],
  'logout',
];
/** Other calls, which may be lost like those. */
const otherCalls = [
  ...[
    'host.getHost',
    'host.updateHost',
    'host.freeTasks',
    'getTaskInfo',
    'getTaskChildren',
    'listBuildroots',
  ],
  ...['getBuildTarget', 'getTag', 'getBuildConfig', 'repo.request', 'repoInfo', 'getExternalRepoList'],
];
const phases = ['solve', 'install', 'source', 'build', 'createrepo'];

/** The plan of a seed: the same tasks in the same order and the same trouble. Without `builds` nothing needs a buildroot. */
export function makePlan(seed: number, tasks: number, faults: number, builds = true): Plan {
  const random = new SeededRandom(seed);
  const blows = makeBlows(random, Math.min(Math.ceil(faults / 4), 80));
  return {
    tasks: makeTasks(random, tasks, builds),
    blows,
    mishaps: makeMishaps(random, faults - blows.length),
  };
}

function makeTasks(random: SeededRandom, count: number, builds: boolean): readonly PlannedTask[] {
  const wanted = shares.filter(([name]) => builds || name !== 'build');
  const total = wanted.reduce((sum, [, share]) => sum + share, 0);
  const kind = (): TaskKind => {
    let left = random.next() * total;
    for (const [name, share] of wanted) {
      if (left < share) return name;
      left -= share;
    }
    return 'sleep';
  };
  const made = Array.from({ length: count }, () => ({ kind: kind(), dice: random.next() }));
  // Whatever chance says, each plan has one of those that need containers.
  const needed = builds ? 'build' : 'newRepo';
  if (count > 1 && !made.some((task) => task.kind === needed))
    made[0] = { kind: needed, dice: random.next() };
  return made;
}

/** Kills at all steps in some order, again and again, with other blows in between. */
function makeBlows(random: SeededRandom, count: number): readonly Blow[] {
  const atSteps = steps.flatMap((method) =>
    (['request', 'reply'] as const).map((when): Blow => ({ kind: 'kill', method, when })),
  );
  const atPhases = phases.flatMap((phase) =>
    (['start', 'died'] as const).map((when): Blow => ({ kind: 'kill', phase, when })),
  );
  let kills: Blow[] = [];
  return Array.from({ length: count }, (_, index): Blow => {
    if (index % 12 === 7) return { kind: 'engine' };
    if (index % 12 === 11) return { kind: 'disk' };
    if (index % 12 === 3) return { kind: 'clock' };
    if (kills.length === 0) kills = shuffled(random, [...atSteps, ...atPhases]);
    return kills.pop() ?? { kind: 'engine' };
  });
}

/** Each call loses a request and an answer; the rest is for any call. Few of them are for any call only. */
function makeMishaps(random: SeededRandom, count: number): readonly PlannedMishap[] {
  const targeted = [...steps, ...otherCalls].flatMap((method) =>
    (['lost-request', 'lost-reply'] as const).map((kind): PlannedMishap => ({ method, kind })),
  );
  const some = count < 2 * targeted.length ? [] : shuffled(random, targeted);
  const any = Array.from({ length: count - some.length }, () => ({
    method: null,
    kind: random.pick(mishaps),
  }));
  return [...some, ...any];
}

function shuffled<T>(random: SeededRandom, items: readonly T[]): T[] {
  const left = [...items];
  const mixed: T[] = [];
  while (left.length > 0) mixed.push(...left.splice(random.below(left.length), 1));
  return mixed;
}

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
  | { readonly kind: 'disk' };

export interface Plan {
  readonly tasks: readonly PlannedTask[];
  readonly blows: readonly Blow[];
  /** How many calls meet with a mishap. */
  readonly mishaps: number;
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
export const steps = [
  ...[
    'host.getTasks',
    'host.openTask',
    'host.setTaskWeight',
    'subsession',
    'host.closeTask',
    'host.failTask',
  ],
  ...[
    'host.subtask',
    'host.taskSetWait',
    'host.taskWait',
    'host.taskWaitResults',
    'host.getHostTasks',
    'logout',
  ],
  ...['host.newBuildRoot', 'host.setBuildRootList', 'host.setBuildRootState', 'host.updateBuildRootList'],
  ...['rawUpload', 'multiCall', 'host.moveBuildToScratch', 'host.tagBuild', 'host.repoInit', 'host.repoDone'],
];
const phases = ['solve', 'install', 'source', 'build', 'createrepo'];

/** The plan of a seed: the same tasks in the same order and the same blows. Without `builds` nothing needs a buildroot. */
export function makePlan(seed: number, tasks: number, faults: number, builds = true): Plan {
  const random = new SeededRandom(seed);
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
  const made = Array.from({ length: tasks }, () => ({ kind: kind(), dice: random.next() }));
  // Whatever chance says, each plan has one of those that need containers.
  const needed = builds ? 'build' : 'newRepo';
  if (tasks > 1 && !made.some((task) => task.kind === needed))
    made[0] = { kind: needed, dice: random.next() };
  const others = Math.min(Math.ceil(faults / 4), 80);
  const blows = Array.from({ length: others }, (_, index): Blow => {
    if (index % 12 === 7) return { kind: 'engine' };
    if (index % 12 === 11) return { kind: 'disk' };
    if (index % 4 === 3)
      return { kind: 'kill', phase: random.pick(phases), when: random.below(2) === 0 ? 'start' : 'died' };
    return { kind: 'kill', method: random.pick(steps), when: random.below(2) === 0 ? 'request' : 'reply' };
  });
  return { tasks: made, blows, mishaps: faults - others };
}

/**
 * Version of the format of a task's journal, written into its head. A journal of any other version is not replayed, and its task is
 * freed. Raise it whenever a journal written before would be replayed wrongly: an id has changed or names another step, steps
 * come in another order, or a result has another shape or meaning.
 */
export const journalVersion = 1;

/** What a root is solved for (`buildroot/solve/package-manager.ts SolveGoal`). */
const solveKinds = ['group', 'packages', 'build-requires'] as const;
/** The steps in which package code runs. */
const packageCode = ['build-source', 'remake-source', 'generate-requires', 'build-package'] as const;

export type SolveKind = (typeof solveKinds)[number];

/** All that a task's journal may hold, but for hub calls. People never read these, so no better wording changes them. */
export const stepIds = [
  /** What the adapter's run has come to. */
  'task',
  /** When a `sleep` task wakes. */
  'sleep-until',
  /** After which time a repo has to be made, on hubs that take no requests for one. */
  'repo-newer-than',
  /** Mail handed to the mail server. */
  'mail',
  'createrepo',
  'mergerepos',
  /** The bootstrap image that the policy names, and its digest. */
  'image',
  'image-digest',
  /** An answer of the solver, and the container that gave it. */
  ...solveKinds.map((wanted) => `solution:${wanted}` as const),
  ...solveKinds.map((wanted) => `solve:${wanted}` as const),
  /** A root, taken or made; the making of one; the container that installed packages. */
  ...solveKinds.map((wanted) => `root:${wanted}` as const),
  ...solveKinds.map((wanted) => `make-root:${wanted}` as const),
  ...solveKinds.map((wanted) => `install:${wanted}` as const),
  ...packageCode,
  /** The files that a step with package code has left. */
  ...packageCode.map((step) => `results:${step}` as const),
] as const;

/** A hub call, by its method and a digest of what it is called with. */
export type CallId = `call ${string} ${string}`;

/**
 * What an entry of a task's journal is about. An id need not be unique: the n-th step under an id in one run is
 * the n-th in another.
 */
export type StepId = (typeof stepIds)[number] | CallId;

/** The method of a hub call; null for every other id. */
export function calledMethod(id: string): string | null {
  return /^call (\S+) /.exec(id)?.[1] ?? null;
}

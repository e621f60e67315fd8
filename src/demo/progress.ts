import type { Clock } from '../core/clock.ts';
import type { WatchedTask } from '../devhub/client.ts';
import { stateName, taskState } from '../devhub/rows.ts';
import { type Phase, parsePhases } from '../terminal/phases.ts';
import { type Frame, lastLines, type TaskRow } from '../terminal/progress-view.ts';
import { TaskFiles } from './task-files.ts';

const tailLines = 6;
const tailBytes = 8192;
const shownLogs = ['build.log', 'root.log'];

interface Times {
  openMs: number | null;
  endMs: number | null;
}

/** Puts together what is to be seen of some task trees: states, times, phases, and the log that grew last. */
export class Progress {
  readonly #topdir: string;
  readonly #clock: Clock;
  readonly #times = new Map<number, Times>();
  /** Of tasks that have ended: they do not change any more. */
  readonly #phases = new Map<number, readonly Phase[]>();

  constructor(topdir: string, clock: Clock) {
    this.#topdir = topdir;
    this.#clock = clock;
  }

  /** `subjectOf` names a task that has no label. */
  async frame(
    trees: readonly WatchedTask[],
    subjectOf: (task: WatchedTask) => string,
    note: string | null,
  ): Promise<Frame> {
    const tasks: TaskRow[] = [];
    const walk = async (task: WatchedTask, depth: number): Promise<void> => {
      tasks.push(await this.#row(task, depth, subjectOf(task)));
      for (const child of task.children) await walk(child, depth + 1);
    };
    for (const tree of trees) await walk(tree, 0);
    return { nowMs: this.#clock.now(), tasks, tail: await this.#tail(tasks), note };
  }

  async #row(task: WatchedTask, depth: number, subject: string): Promise<TaskRow> {
    const times = this.#follow(task);
    const { openMs } = times;
    return {
      id: task.id,
      depth,
      method: task.method,
      subject,
      state: stateName(taskState, task.state).toLowerCase(),
      elapsedMs: openMs === null ? null : (times.endMs ?? this.#clock.now()) - openMs,
      phases: await this.#phasesOf(task, times.endMs !== null),
    };
  }

  #follow({ id, state }: WatchedTask): Times {
    const times = this.#times.get(id) ?? { openMs: null, endMs: null };
    this.#times.set(id, times);
    const now = this.#clock.now();
    const isWaiting = state === taskState.FREE || state === taskState.ASSIGNED;
    if (!isWaiting) times.openMs ??= now;
    if (!isWaiting && state !== taskState.OPEN) times.endMs ??= now;
    return times;
  }

  async #phasesOf({ id }: WatchedTask, hasEnded: boolean): Promise<readonly Phase[]> {
    const known = this.#phases.get(id);
    if (known !== undefined) return known;
    const phases = parsePhases(await new TaskFiles(this.#topdir, id).text('state.log'));
    if (hasEnded) this.#phases.set(id, phases);
    return phases;
  }

  async #tail(tasks: readonly TaskRow[]): Promise<Frame['tail']> {
    const logs = tasks
      .filter((task) => task.state === 'open')
      .flatMap((task) => {
        const files = new TaskFiles(this.#topdir, task.id);
        return shownLogs.map((name) => ({ task, files, name, grewMs: files.stat(name)?.mtimeMs ?? 0 }));
      })
      .filter(({ grewMs }) => grewMs > 0)
      .sort((a, b) => b.grewMs - a.grewMs);
    const [latest] = logs;
    if (latest === undefined) return null;
    const { task, files, name } = latest;
    return {
      title: `${name} of ${task.method}`,
      lines: lastLines(await files.tail(name, tailBytes), tailLines),
    };
  }
}

import { z } from 'zod';
import type { Task } from './bench-host.ts';

const Line = z.looseObject({ time: z.string(), msg: z.string() });
const Step = Line.extend({
  taskId: z.int(),
  step: z.string(),
  stepMs: z.number(),
  firstOutputMs: z.number().optional(),
});
const Kept = Line.extend({ snapshot: z.string(), title: z.string(), ownBytes: z.number() });
const Closed = Line.extend({ calls: z.number(), callMs: z.number() });

/** What the daemon's log says about tasks; times in milliseconds. */
export class DaemonLog {
  readonly #lines: readonly z.infer<typeof Line>[];

  constructor(lines: readonly string[]) {
    this.#lines = lines.filter((line) => line.startsWith('{')).map((line) => Line.parse(JSON.parse(line)));
  }

  #steps(taskId: number): readonly z.infer<typeof Step>[] {
    return this.#lines
      .filter(({ msg }) => msg === 'step done')
      .map((line) => Step.parse(line))
      .filter((step) => step.taskId === taskId);
  }

  /** From the task's opening to the first line of rpmbuild. */
  untilFirstLine(task: Task): number {
    const build = this.#steps(task.id).find(({ step }) => step === 'rpmbuild');
    if (build?.firstOutputMs === undefined) throw new Error(`task ${task.id} has built nothing`);
    return Date.parse(build.time) - build.stepMs + build.firstOutputMs - (task.start_ts ?? 0) * 1000;
  }

  /** How long the task's steps of a kind took: `solve`, `install`, `fetch`. */
  stepsMs(taskId: number, kind: string): number {
    return this.#steps(taskId)
      .filter(({ step }) => step.startsWith(`${kind} `))
      .reduce((sum, { stepMs }) => sum + stepMs, 0);
  }

  /** From the end of the task, when its root begins to be kept, to the moment it was; and what it takes on the disk. */
  commit(taskId: number): { readonly tookMs: number; readonly ownBytes: number } {
    const ended = this.#lines.find((line) => line.msg === 'task ended' && line['taskId'] === taskId);
    const endedMs = Date.parse(ended?.time ?? '');
    const kept = this.#lines
      .filter(({ msg }) => msg === 'snapshot saved')
      .map((line) => Kept.parse(line))
      .find(({ time }) => Date.parse(time) >= endedMs);
    return { tookMs: Date.parse(kept?.time ?? '') - endedMs, ownBytes: kept?.ownBytes ?? Number.NaN };
  }

  /** How long the hub took for the calls of the session that was closed last. */
  lastCallsMs(): number {
    const closed = this.#lines.filter(({ msg }) => msg === 'session closed').at(-1);
    return Closed.parse(closed).callMs;
  }
}

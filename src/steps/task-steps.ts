import { z } from 'zod';
import { describeLimit } from '../container/describe-limit.ts';
import type { ContainerSpec } from '../container/spec.ts';
import type { Container, StepRuntime } from '../container/step-runtime.ts';
import type { Clock } from '../core/clock.ts';
import { BuilderError } from '../core/errors.ts';
import { saysDiskFull } from '../core/fs-errors.ts';
import type { LogSink } from '../core/log-sink.ts';
import type { Logger } from '../core/logger.ts';
import type { TaskWaits } from '../core/waits.ts';
import type { History, ResumePoint } from '../journal/history.ts';
import type { StepId } from '../journal/step-ids.ts';
import { BoundedText } from './bounded-text.ts';
import { Tail } from './log-tail.ts';
import { ContainerEnd, goneMeanwhile, type RunOptions, runContainer } from './run-container.ts';
import { StepContainers, type StepContainersParts } from './step-containers.ts';
import { blameHost, isStuck, StepTimedOut, type TimeLimit } from './whose-fault.ts';

export interface TaskStepsParts extends Omit<StepContainersParts, 'resumed'> {
  readonly runtime: Pick<StepRuntime, 'create' | 'recover' | 'lacksRoom'>;
  readonly history: History;
  readonly clock: Clock;
  readonly waits: TaskWaits;
  /** The task's. */
  readonly log: Logger;
}

/** One container, run to its end. */
export interface Step {
  /** By this the journal knows it. */
  readonly id: StepId;
  /** By this people do. */
  readonly title: string;
  /** What runs: made when it is time, or one of `containers.make` for those who need it afterwards, or when the step fails. */
  readonly container: ContainerSpec | Container;
  /** The log of the task that its output goes to. */
  readonly log: { readonly name: string; readonly sink: LogSink };
  /** After this time, in which the daemon may have been away, every process is killed; 0: as long as it likes. */
  readonly seconds: number;
  /** Called when its container runs. */
  readonly started?: () => void;
  /** Called when it has ended, before anybody is blamed for how. */
  readonly ended?: (end: StepEnd) => void;
  /**
   * When the removal of its container begins: at its end, or when nothing is more urgent (`StepContainers.removeLater`);
   * left out: the caller sees to it.
   */
  readonly removal?: 'at once' | 'later';
}

/** How a step has ended, in this run of the daemon or in a previous one. */
export interface StepEnd extends ContainerEnd {
  /** The limit that it has run into, for logs and messages. */
  readonly limit: string | null;
  /** The end of its output, some 4 KiB. */
  readonly end: Buffer;
  /** How long it took altogether. */
  readonly stepMs: number;
  /** When after its beginning it wrote its first line; null where it wrote none in this run of the daemon. */
  readonly firstOutputMs: number | null;
}

/** A step in which programs of an image run, and no code of the package that is built. */
export interface ImageStep extends Omit<Step, 'container' | 'seconds'> {
  readonly spec: ContainerSpec;
  readonly timeLimit: TimeLimit;
  readonly image: string;
  /** Directories of this host that it fills. */
  readonly fills: readonly string[];
}

/** A step whose output is what it is run for. */
export interface ReadingStep {
  readonly title: string;
  readonly spec: ContainerSpec;
  readonly seconds: number;
  /** How much of its output is kept. */
  readonly mostBytes: number;
}

/** With the end of what it wrote. */
const EndedStep = ContainerEnd.extend({ endBase64: z.string() });
type EndedStep = z.infer<typeof EndedStep>;

/**
 * Runs the steps of one task, the only way in which a task runs a container: made, or taken over from a previous run of the
 * daemon, its output in a log of the task, with its limits, and for as long as it may take. What has ended is in the journal, and is not
 * run again.
 */
export class TaskSteps {
  readonly containers: StepContainers;
  readonly #parts: TaskStepsParts;
  readonly #running = new Map<StepId, { readonly name: string; readonly end: Promise<StepEnd> }>();

  constructor(parts: TaskStepsParts) {
    this.#parts = parts;
    this.containers = new StepContainers({ ...parts, resumed: parts.history.resumed });
  }

  /**
   * Runs a step, or resumes it where a previous run of the daemon has begun it; of one that has ended it gives the end. Who
   * asks for a step that runs already gets the same. Any exit code is a value. Rejects with `ContainerError`:
   * `no-such-container` when a container that ran before is gone, `end-unseen`.
   */
  run(step: Step, signal: AbortSignal): Promise<StepEnd> {
    const { name } = step.container;
    const running = this.#running.get(step.id);
    if (running !== undefined && running.name !== name)
      throw new Error(`step ${step.id} runs in ${running.name}, and was to run in ${name} as well`);
    if (running !== undefined) return running.end;
    const end = this.#run(step, signal).finally(() => this.#running.delete(step.id));
    this.#running.set(step.id, { name, end });
    return end;
  }

  async #run(step: Step, signal: AbortSignal): Promise<StepEnd> {
    const { id, title, container, log, seconds, started, removal } = step;
    const { clock, history } = this.#parts;
    const tail = new Tail(log.sink, clock);
    let startedMs = clock.uptime();
    const { endBase64, ...ended } = await history.phase<Container, EndedStep>(id, {
      result: EndedStep,
      log: log.name,
      make: async () => ('command' in container ? this.containers.make(container, signal) : container),
      work: async (running, earlier) => {
        if (earlier !== null) {
          startedMs = earlier.startedMs;
          tail.begin(earlier.tail);
        }
        // Also one that comes to no end: it is not needed any more.
        if (removal === 'later') this.containers.removeLater(running);
        const result = await this.#toTheEnd(running, tail, signal, {
          ...this.#resumed(title, running, earlier),
          title,
          timeoutMs: seconds === 0 ? null : Math.max(0, startedMs + seconds * 1000 - clock.uptime()),
          ...(started !== undefined && { started }),
        });
        if (removal === 'at once') this.containers.removeMeanwhile(running);
        return { ...result, endBase64: Buffer.from(tail.text()).toString('base64') };
      },
    });
    const end: StepEnd = {
      ...ended,
      limit: ended.ranInto === null ? null : describeLimit(ended.ranInto),
      end: Buffer.from(endBase64, 'base64'),
      stepMs: clock.uptime() - startedMs,
      firstOutputMs: tail.firstMs === null ? null : tail.firstMs - startedMs,
    };
    step.ended?.(end);
    return end;
  }

  /** What there is of a step's output already; what a previous run has begun has to be there still. */
  #resumed(title: string, container: Container, earlier: ResumePoint | null): RunOptions {
    if (earlier === null) return {};
    if (!this.containers.isRecovered(container)) throw goneMeanwhile(title);
    const { writtenBytes } = earlier;
    this.#parts.log.info({ step: title, writtenBytes }, 'resumed a running container');
    return { from: writtenBytes, end: earlier.tail };
  }

  #toTheEnd(
    container: Container,
    to: LogSink,
    signal: AbortSignal,
    options: RunOptions,
  ): Promise<ContainerEnd> {
    const { clock, waits, log } = this.#parts;
    return runContainer(container, to, clock, signal, { ...options, waits, log });
  }

  /**
   * Runs a step with programs of an image. Rejects besides with `StepTimedOut`, and where another is to
   * blame than what the step worked on: `StepNotBegun`, `ImageProgramFailed`, and `disk-full` when this host is short of room.
   */
  async runOfImage(step: ImageStep, signal: AbortSignal): Promise<StepEnd> {
    const { title, spec, timeLimit, image, fills, ...rest } = step;
    const ended = await this.run({ ...rest, title, container: spec, seconds: timeLimit.seconds }, signal);
    if (ended.timedOut) throw new StepTimedOut(title, timeLimit);
    const said = ended.end.toString();
    // Scriptlets may say anything: what counts is the disk.
    if (ended.code !== 0 && saysDiskFull(said) && (await this.#parts.runtime.lacksRoom(fills)))
      throw new BuilderError('disk-full', 'builder', `${title} failed: no space left on device`);
    if (ended.code !== 0 && ended.ranInto === null) blameHost(title, ended.code, said, image);
    return ended;
  }

  /**
   * Runs a step and gives its output. That is in no log and the step not in the journal: where a previous run of the daemon
   * has begun it, its output is read from its first byte again. Its container is removed later.
   */
  async read(
    { title, spec, seconds, mostBytes }: ReadingStep,
    signal: AbortSignal,
  ): Promise<ContainerEnd & { readonly output: BoundedText }> {
    const container = await this.containers.make(spec, signal);
    const output = new BoundedText(mostBytes);
    const ended = await this.#toTheEnd(container, output, signal, { title, timeoutMs: seconds * 1000 });
    this.containers.removeLater(container);
    return { ...ended, output };
  }

  /** Tries once more what has come to no end, since nothing is known of how it went. `again` comes before that, with the reason. */
  async twice<T>(
    attempt: (isAgain: boolean) => Promise<T>,
    again: (reason: string) => Promise<void>,
  ): Promise<T> {
    try {
      return await attempt(false);
    } catch (error) {
      if (!isStuck(error)) throw error;
      this.#parts.log.warn(`${error.message}: trying once more`);
      await again(error.message);
      return attempt(true);
    }
  }
}
